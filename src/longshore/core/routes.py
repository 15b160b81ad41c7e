"""Routes as keys of HAProxy's maps, and the frontends they belong to.

HTTP routing is one `map_beg` look-up per host level: the longest key that the look-up string starts with wins. The
look-up string is host + path + "/#"; a route's key is host + path, ending with "/" for a prefix and with "/#" for an
exact path. So "a.test/api/" matches /api and /api/x but not /apix, and an exact path beats every prefix:

    route          key               /api   /api/    /api/x   /apix
    /api           a.test/api/       yes    yes      yes      no
    =/api          a.test/api/#      yes    no       no       no

First the host itself is looked up, then "*." and its parents (at most LEVELS of them), then "*".
"""

from __future__ import annotations

import re

from longshore.core import quote
from longshore.core.model import Mode, Route

_ANY = ("", "*", "0.0.0.0")  # noqa: S104 - compared, nothing is bound here
SOCKET = "unix@"  # how an address begins that is the path of a socket; only the operator may say one
LEVELS = 6  # parent domains that are tried: *.b.c for a.b.c is the first


def map_key(route: Route, mode: Mode = "http") -> str:
    """Return the key of a route in its map: "a.test/api/"; for TCP the name of its frontend. Raises ValueError."""
    if mode == "tcp":
        return frontend_of(route, mode)
    end = "/#" if route.exact else "" if route.path.endswith("/") else "/"
    return quote.map_key(route.host + route.path + end)


def frontend_of(route: Route, mode: Mode = "http") -> str:
    """Return the name of the frontend for a route's own address: "listen-8080", "tcp-5432", "listen-127.0.0.1-8080".

    "" means the HTTP(S) frontends of the configuration. Raises ValueError for what is no address.
    """
    if route.listen.startswith(SOCKET):
        path = quote.path(route.listen.removeprefix(SOCKET))
        return quote.word(f"{'tcp' if mode == 'tcp' else 'listen'}-{_tail(path)}-{quote.digest(path)}")
    if not route.listen:
        if mode == "tcp":
            raise ValueError("a TCP route needs an address to listen on")
        return ""
    host, colon, port = route.listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"{route.listen!r} is no address to listen on; expected something like :8080")
    host = host.strip("[]").replace(":", "_")
    kind = "tcp" if mode == "tcp" else "listen"
    return quote.word(f"{kind}-{port}" if host in _ANY else f"{kind}-{host}-{port}")


def _tail(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.rpartition("/")[2])[:60] or "socket"


def hosts_tried(host: str) -> tuple[str, ...]:
    """Return the hosts that HAProxy looks up for a request, in order: "a.b.c" → "a.b.c", "*.b.c", "*.c", "*"."""
    host = host.lower().rstrip(".")
    labels = host.split(".")
    parents = tuple("*." + ".".join(labels[n:]) for n in range(1, min(len(labels), LEVELS + 1)))
    return (host, *parents, "*") if host else ("*",)
