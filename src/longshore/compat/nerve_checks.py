"""A service's checks in Nerve's terms, as checks of ours. All must pass, in both.

Nerve knows http, tcp, redis, rabbitmq and noop, and loads others from Ruby gems (`nerve-watcher-<type>`), which nothing
but Ruby can run. (nerve/service_watcher/*.rb)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from longshore.compat.given import At, Given
from longshore.core.values import shown

COMMON = ("type", "name", "host", "port", "timeout", "rise", "fall", "module")
TIMEOUT = 0.1  # seconds
CONNECT = 0.2  # seconds, of the http check: to connect, and as long again for TLS
KEY = "nerve-redis-service-check"  # that the redis check asks for
TIMES = ("open_timeout", "ssl_timeout", "read_timeout")


def checks(service: Given) -> list[At]:
    """The checks of a service; what is wrong with them is told to it."""
    said = service.data.get("checks")
    if isinstance(said, dict):
        service.refuse("checks", "must be a list, not a mapping")
        return []
    return [At(_check(each, service), each.place(key=True)) for each in service.inners("checks")]


def _check(given: Given, service: Given) -> dict[str, Any]:
    kind = given.text("type")
    if kind not in KINDS:
        _refuse(given, kind)
        return {}
    known = (*COMMON, *KEYS[kind])
    for key in given.data:
        if key not in known:
            given.note(key, "is no key of Nerve's, and passed over")
    if "module" in given:
        given.note("module", f"is not loaded: Nerve loads it only where it does not know the type, and {kind} it does")
    host, port = given.text("host") or service.text("host"), given.port("port") or service.port("port")
    found: dict[str, Any] = KINDS[kind](given, host, port)
    for key, name, value in (("host", "address", given.text("host")), ("port", "port", given.port("port"))):
        if value:
            found[name] = At(value, given.place(key))
    if kind != "noop":
        found.setdefault("timeout", At(_seconds(given, "timeout", TIMEOUT), given.place("timeout")))
        for key in ("rise", "fall"):
            found[key] = At(given.whole(key) if key in given else 1, given.place(key))
    return found


def _refuse(given: Given, kind: str) -> None:
    hint = "longshore has http, tcp, redis, rabbitmq and noop; a page that answers 200 while all is well can tell it"
    if not kind:
        given.refuse("type", "is missing", "longshore has http, tcp, redis, rabbitmq and noop")
    elif kind == "base":
        given.refuse("type", 'is "base": Nerve\'s own base of checks, which never passes')
    else:
        gem = given.text("module") or f"nerve-watcher-{kind}"
        given.refuse("type", f"is {shown(kind)}: a check of the Ruby gem {gem}, which only Nerve can run", hint)


def _http(given: Given, host: str, port: int | None) -> dict[str, Any]:
    given.needs("uri")
    tls = given.flag("ssl")
    place = given.place("uri") if "uri" in given else given.place(key=True)
    uri = given.text("uri", "/")
    found: dict[str, Any] = {"check": At(f"https:{uri}" if tls else uri, place)}
    headers = given.inner("headers")
    said = {str(name): At(headers.text(str(name)), headers.place(str(name))) for name in headers.data}
    if not any(name.lower() == "host" for name in said):
        usual = port == (443 if tls else 80)
        shown_host = f"[{host}]" if ":" in host else host
        said["Host"] = At(shown_host if usual else f"{shown_host}:{port}", given.place(key=True))
    found["headers"] = At(said, headers.place(key=True))
    if given.text("expect"):
        found["expect"] = At(given.text("expect"), given.place("expect"))
    read = _seconds(given, "read_timeout", _seconds(given, "timeout", TIMEOUT))
    whole = read + _seconds(given, "open_timeout", CONNECT) + (_seconds(given, "ssl_timeout", CONNECT) if tls else 0)
    key = next((key for key in (*TIMES, "timeout") if key in given), "timeout")
    found["timeout"] = At(round(whole, 3), given.place(key))
    return found


def _tcp(given: Given, host: str, port: int | None) -> dict[str, Any]:
    return {"check": At("tcp", given.place("type"))}


def _redis(given: Given, host: str, port: int | None) -> dict[str, Any]:
    return {"check": At(f"redis:{KEY}", given.place("type"))}


def _rabbitmq(given: Given, host: str, port: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {"check": At("rabbitmq", given.place("type"))}
    for key in ("username", "password"):
        if given.text(key):
            found[key] = At(given.text(key), given.place(key))
    return found


def _noop(given: Given, host: str, port: int | None) -> dict[str, Any]:
    return {"check": At("none", given.place("type"))}


KINDS: dict[str, Callable[[Given, str, int | None], dict[str, Any]]] = {
    "http": _http,
    "tcp": _tcp,
    "redis": _redis,
    "rabbitmq": _rabbitmq,
    "noop": _noop,
}
KEYS: dict[str, tuple[str, ...]] = {
    "http": ("uri", "ssl", "headers", "expect", *TIMES),
    "rabbitmq": ("username", "password"),
    "tcp": (),
    "redis": (),
    "noop": (),
}


def _seconds(given: Given, key: str, default: float) -> float:
    """A time; digits in quotes count, as Nerve has them."""
    value = given.data.get(key)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            given.refuse(key, f"must be a number of seconds, not {shown(value)}")
            return default
    found = given.number(key)
    return default if found is None else found
