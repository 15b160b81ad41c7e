"""What a service's own lines become: its declared backend, its frontend, the words of its servers.

    profile (a `defaults` section): longshore's base, then `haproxy.raw.defaults`
    backend NAME from it:           `raw.backend`, then the servers
    frontend:                       bind, `raw.frontend`, default_backend NAME

What is said later wins, so the operator's lines do. `default-server` is said in the words of each server instead:
HAProxy takes nothing from it for servers that are added at runtime.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from longshore.core import quote
from longshore.core.capabilities import Capabilities
from longshore.core.grouping import tidy
from longshore.core.model import Endpoint, Service
from longshore.core.places import joined
from longshore.core.raw import Line, RawBackend, RawFrontend

_NAMED = ("timeout", "option", "stats")  # keywords that say a setting with their second word
_MANY = (
    *("http-request", "http-response", "http-after-response", "http-check", "tcp-request", "tcp-response"),
    *("stats socket", "log", "lua-load-per-thread", "server-state-file", "stats-file"),  # and what ours must stay
)
_SPECIAL = re.compile(r"[\"'\\]")  # the configuration and the runtime socket read these in different ways
DYNAMIC = "dynamic"


def backend_of(service: Service, defaults: tuple[Line, ...], caps: Capabilities) -> RawBackend | None:
    """The declared backend of a service that has lines of its own."""
    raw = service.raw
    if raw is None:
        return None
    lines = tuple(quote.line(line) for line in with_cookie(service, (line.text for line in raw.backend), caps))
    if cookie_is_dynamic(service, defaults, caps) and not _says("dynamic-cookie-key", (*defaults, *raw.backend)):
        lines += ("dynamic-cookie-key longshore",)
    return RawBackend(quote.word(raw.name), lines)


def frontend_of(service: Service) -> RawFrontend | None:
    """What its frontend has of its own."""
    raw = service.raw
    if raw is None:
        return None
    return RawFrontend(quote.word(raw.name), quote.line(raw.bind.text), tuple(quote.line(x.text) for x in raw.frontend))


def without_said(base: Iterable[str], own: Iterable[Line]) -> Iterator[str]:
    """Lines of ours, without those whose setting is the operator's."""
    said = {_setting(line.text) for line in own}
    for line in base:
        if (setting := _setting(line)) == "" or setting not in said:
            yield line


def with_cookie(service: Service, lines: Iterable[str], caps: Capabilities) -> Iterator[str]:
    """Make a `cookie` line dynamic where servers that are added cannot have a value of their own."""
    dynamic = _wants_cookie(service) and not caps.server_cookie
    for line in lines:
        words = line.split()
        yield f"{line} {DYNAMIC}" if dynamic and words[0] == "cookie" and DYNAMIC not in words else line


def cookie_is_dynamic(service: Service, defaults: tuple[Line, ...], caps: Capabilities) -> bool:
    """Whether HAProxy is to make the cookie's values itself."""
    return _wants_cookie(service) and not caps.server_cookie and has_cookie(service, defaults)


def has_cookie(service: Service, defaults: tuple[Line, ...]) -> bool:
    """Whether its lines say a cookie."""
    return service.raw is not None and _says("cookie", (*defaults, *service.raw.backend))


def speaks_tls(service: Service, defaults: tuple[Line, ...]) -> bool:
    """Whether its lines say that servers are spoken to by TLS."""
    return service.raw is not None and "ssl" in _words(service, defaults)


def server_words(
    service: Service, endpoint: Endpoint | None, defaults: tuple[Line, ...]
) -> tuple[list[str], int | None]:
    """The operator's words of a server, and the weight they say. Raises ValueError for a name that nobody knows.

    Without an endpoint they are those of servers that HAProxy finds itself.
    """
    words, weight = _words(service, defaults), None
    for at, (word, value) in reversed(list(enumerate(pairwise(words)))):
        if word == "weight" and value.isdigit():
            weight = int(value) if weight is None else weight
            del words[at : at + 2]
    return [quote.line(_filled(word, endpoint)) for word in words], weight


def cookie_value(service: Service, endpoint: Endpoint) -> str:
    """What Synapse and SmartStack write behind `cookie`: `name_host:port`, or its SHA-1 in hexadecimal digits."""
    assert service.raw
    name = _synapse_name(endpoint)
    if service.raw.cookie == "hash":
        return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    return _plain(name)


def _synapse_name(endpoint: Endpoint) -> str:
    """What Synapse calls a server."""
    place = joined(endpoint.address, endpoint.port)
    return place if endpoint.name in ("", place, tidy(place)) else f"{endpoint.name}_{place}"


def at_runtime(options: str) -> bool:
    """Whether words of a server mean the same in the configuration and on the runtime socket."""
    return _SPECIAL.search(options) is None


def _wants_cookie(service: Service) -> bool:
    return service.raw is not None and bool(service.raw.cookie) and service.mode == "http"


def _words(service: Service, defaults: tuple[Line, ...]) -> list[str]:
    assert service.raw
    found: list[str] = []
    for line in (*defaults, *service.raw.backend):
        word, *rest = line.text.split()
        found += rest if word == "default-server" else ()
    return found + service.raw.server.text.split()


def _filled(word: str, endpoint: Endpoint | None) -> str:
    if "%{" not in word:
        return word
    if endpoint is None:
        raise ValueError(f"{word} cannot be filled in: HAProxy finds the endpoints of this service itself")
    named = {"host": endpoint.address, "port": str(endpoint.port), "name": endpoint.name}
    named["server"] = _synapse_name(endpoint)
    for name, value in named.items():
        word = word.replace(f"%{{{name}}}", _plain(value))
    return word


def _plain(value: str) -> str:
    """One word, whatever a registry says."""
    return re.sub(r"[^A-Za-z0-9_.:\[\]-]+", "-", value)[:200]


def _setting(line: str) -> str:
    """What a line sets, "" if there may be several of its kind."""
    words = [word for word in line.split() if word != "no"]
    setting = " ".join(words[: 2 if words[:1] and words[0] in _NAMED else 1])
    return "" if setting in _MANY else setting


def _says(keyword: str, lines: Iterable[Line]) -> bool:
    return any(line.text.split()[0] == keyword for line in lines)
