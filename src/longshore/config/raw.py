"""Lines of the operator's own for haproxy.cfg: `haproxy.raw` and `services.<name>.raw`.

HAProxy judges them; here is only seen that a line is one line and stays where it was put.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from longshore.config.fields import listed, schema
from longshore.config.section import Section
from longshore.core.values import RefusedError, shown, text

LONGEST = 8000  # characters
SECTIONS = frozenset(
    {
        *("acme", "backend", "cache", "crt-store", "defaults", "fcgi-app", "frontend", "global", "healthcheck"),
        *("http-errors", "listen", "log-forward", "log-profile", "mailers", "peers", "program", "resolvers", "ring"),
        *("traces", "userlist"),
    }
)
"""The words that begin a section (configuration manual, 2.1 to 12; 2.6 to 3.4)."""
BY_US = ("daemon", "master-worker", "nbproc", "pidfile", "quiet")  # what would take HAProxy out of longshore's hands
PLACEHOLDERS = ("host", "port", "name", "server")
OURS = ("s:", "slot:", "longshore:", "frontends:", "raw:", "p-", "listen-", "tcp-")  # names that longshore gives


def line(value: str) -> str:
    """Check a line, or words of one. Tabs become blanks."""
    if "\n" in value.rstrip("\n") or "\r" in value.rstrip("\r\n"):
        raise RefusedError("holds a line end", "write a list, one line in each of its members")
    return text(value.replace("\t", " ").rstrip("\r\n"), LONGEST)


def inner(value: str) -> str:
    """Check a line that stands inside a section."""
    word = line(value).split()[0]
    if word in SECTIONS:
        raise RefusedError(f"{shown(word)} begins a section", "write whole sections into `haproxy.raw.sections`")
    if word.startswith("."):
        raise RefusedError(f"{shown(word)} is a condition of the whole file", "leave the line out, or write it plain")
    return line(value)


def of_process(value: str) -> str:
    """Check a line of the section `global`."""
    checked = inner(value)
    if checked.split()[0] in BY_US:
        raise RefusedError(f"{shown(checked)} is not said here", "longshore starts HAProxy, and says how")
    return checked


def moded(value: str) -> str:
    """Check a line of a proxy whose mode is said otherwise."""
    checked = inner(value)
    if checked.split()[0] == "mode":
        hint = "say `listen` (HTTP) or `tcp` in the service, and `mode` in each of `sections`"
        raise RefusedError(f"{shown(checked)} is not said here", hint)
    return checked


def server_words(value: str) -> str:
    """Check words of a server line."""
    checked = line(value)
    for found in re.findall(r"%\{([^}]*)\}", checked):
        if found not in PLACEHOLDERS:
            raise RefusedError(
                f"%{{{shown(found)[1:-1]}}} is not known", "write %{host}, %{port}, %{name} or %{server}"
            )
    if "disabled" in checked.split():
        raise RefusedError('"disabled" is not said here', "take endpoints out with `longshore drain`")
    return checked


def backend_name(value: str) -> str:
    """Check the name of a backend."""
    if re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", value, re.ASCII) is None:
        raise RefusedError(f"{shown(value)} cannot name a backend", 'use letters, digits, "_", ".", ":" and "-"')
    if value.startswith(OURS):
        raise RefusedError(f"{shown(value)} looks like a name that longshore gives itself", "choose another `name`")
    return value


def mapping(value: Any) -> Any:
    """Let a key without value stand for an empty mapping."""
    return {} if value is None else value


def title(value: str) -> str:
    """Check the first line of a section."""
    word = line(value).split()[0]
    if word == "global":
        raise RefusedError("the section global is longshore's", "write its lines into `haproxy.raw.global`")
    if word not in SECTIONS:
        raise RefusedError(f"{shown(word)} begins no section of HAProxy", 'write "listen stats" or "backend old"')
    return line(value)


def several(value: Any) -> Any:
    """Let one line stand for a list of one, and nothing for none."""
    return () if value is None else listed(value)


_SCHEMA = schema(type=["string", "array"], items={"type": "string"}, examples=[["timeout server 50s"]])
Lines = Annotated[tuple[Annotated[str, AfterValidator(inner)], ...], BeforeValidator(several), _SCHEMA]
GlobalLines = Annotated[tuple[Annotated[str, AfterValidator(of_process)], ...], BeforeValidator(several), _SCHEMA]
ProxyLines = Annotated[tuple[Annotated[str, AfterValidator(moded)], ...], BeforeValidator(several), _SCHEMA]


class HaproxyRaw(Section):
    """Lines of your own for haproxy.cfg, in HAProxy's words and checked by HAProxy."""

    global_: GlobalLines = ()
    """Lines of the section `global`, behind longshore's."""
    defaults: ProxyLines = ()
    """Lines for the frontend and the backend of every service that has `raw`, and for `sections`."""
    sections: dict[Annotated[str, AfterValidator(title)], Lines] = Field(default_factory=dict)
    """Whole sections: `{"listen stats": ["bind :1936", "stats enable"]}`, behind a section of the `defaults`."""


class ServiceRaw(Section):
    """Lines of your own for one service, in HAProxy's words. Even an empty `raw: {}` declares its backend by name."""

    frontend: ProxyLines = ()
    """Lines of the frontend that its `listen` or `tcp` makes, before `default_backend`."""
    backend: ProxyLines = ()
    """Lines of its backend."""
    bind: Annotated[str, AfterValidator(line)] | None = None
    """Words behind the address of its `bind`: "ssl crt /etc/ssl/x.pem"."""
    server: Annotated[str, AfterValidator(server_words)] | None = None
    """Words of each server, in place of those that longshore makes of the check: "check inter 2s rise 3 fall 2".
    `%{host}`, `%{port}` and `%{name}` are those of the endpoint, `%{server}` is `name_host:port`."""
    cookie: Literal["name", "hash"] | None = None
    """What stands behind the word `cookie` of each server: `name_host:port`, or its SHA-1."""
    mode: Literal["http", "tcp"] | None = None
    """Of a backend that only other lines lead to, without `listen`, `tcp`, `host` and `path`; default: `http`."""
    name: Annotated[str, AfterValidator(backend_name)] | None = None
    """The name of its backend, for lines that lead there; default: the name of the service."""
