"""Places: the addresses, hosts and paths that routes and endpoints are made of, each in one normal spelling.

Two labels that mean the same place must give the same text, because places are compared and become keys of HAProxy's
maps. Hosts follow RFC 1123 (plus "_", which Compose names carry), paths RFC 3986 without quotes and ";".
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from longshore.core.values import RefusedError, shown, text

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&()*+,=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&()*+,=:@/?-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_SOCKET = re.compile(r"unix@/[A-Za-z0-9_./-]{1,89}", re.ASCII)
LONGEST_PATH = 1024
_LISTEN = 'write ":8080", "127.0.0.1:8080" or "[::1]:8080"'


@dataclass(frozen=True, slots=True)
class Path:
    """A path of a route: "/api" and everything below it, or with `exact` only this path."""

    path: str = "/"
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """The value of key `address`: a fixed IP, or which of the engine's ways to take. `port` 0 means the container's."""

    kind: Literal["fixed", "published", "host"]
    address: str = ""
    port: int = 0


@lru_cache(maxsize=20_000)
def ip(word: str) -> str | None:
    """Give the normal spelling of an IPv4 or IPv6 literal, None if it is neither. Zone ids (fe80::1%eth0) are not."""
    if _IPV4.fullmatch(word):
        return word
    if "%" in word:
        return None
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        return None


def machine(value: str) -> str:
    """Read where something runs: an IP address, with or without brackets, or a host name. Gives its usual spelling."""
    if address := ip(value.removeprefix("[").removesuffix("]")):
        return address
    name = value.lower().removesuffix(".")
    if len(name) > 253 or name.replace(".", "").isdigit() or not all(map(_LABEL.fullmatch, name.split("."))):
        raise RefusedError(f"{shown(value)} is neither an IP address nor a host name", "write 10.0.0.5 or vm1.internal")
    return name


def joined(address: str, port: int) -> str:
    """Give "address:port", an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def port(raw: object) -> int:
    """Read a port, 1 to 65535. "8000/tcp" is accepted as EXPOSE spells it."""
    word = text(raw)
    if word.endswith("/udp"):
        raise RefusedError(f"{shown(word)} is UDP, which HAProxy does not balance", "name a TCP port")
    word = word.removesuffix("/tcp")
    if _PORT.fullmatch(word) is None or not 1 <= int(word) <= 65535:
        raise RefusedError(f"{shown(word)} is not a port from 1 to 65535")
    return int(word)


def listen(raw: object) -> str:
    """Read an address to listen on, as ":8080" (every IPv4 address), "127.0.0.1:8080" or "[::1]:8080"."""
    word = text(raw)
    place, colon, number = word.rpartition(":")
    if not colon:
        place, number = "", word
    if _PORT.fullmatch(number) is None or not 1 <= int(number) <= 65535:
        raise RefusedError(f"{shown(word)} has no port from 1 to 65535", _LISTEN)
    if place in ("", "*", "0.0.0.0"):  # noqa: S104 - read, not bound
        return f":{int(number)}"
    bracketed = place.startswith("[") and place.endswith("]")
    address = ip(place[1:-1] if bracketed else place)
    if address is None or (":" in address) != bracketed:
        raise RefusedError(f"{shown(word)} is not an address to listen on", _LISTEN)
    return joined(address, int(number))


def listen_anywhere(raw: object) -> str:
    """Read an address to listen on, which may also be a socket's path: "unix@/run/web.sock". For operators alone."""
    word = text(raw)
    if not word.startswith("unix@"):
        return listen(raw)
    if _SOCKET.fullmatch(word) is None:
        hint = 'write "unix@/run/web.sock", at most 90 characters: letters, digits, "_", ".", "-" and "/"'
        raise RefusedError(f"{shown(word)} is not the path of a socket", hint)
    return word


def host(raw: object) -> str:
    """Read a host: "a.example.com", "*.example.com", "*", an IPv4 literal, or an IPv6 literal (given as "[::1]")."""
    word = text(raw).lower()
    if "://" in word:
        raise RefusedError(f"{shown(word)} is a URL", "write only the host here, and what follows it as path")
    if "/" in word:
        bare, _, rest = word.partition("/")
        raise RefusedError(f"{shown(word)} contains a path", f"write host {shown(bare)} and path {shown('/' + rest)}")
    if word == "*":
        return word
    address = ip(word[1:-1] if word.startswith("[") and word.endswith("]") else word)
    if address is not None:
        return f"[{address}]" if ":" in address else address
    if match := re.fullmatch(r"(.+):([0-9]+)", word):
        raise RefusedError(
            f"{shown(word)} contains a port",
            f'a host has none; an HTTP address of its own is said by listen ":{match[2]}"',
        )
    word = word.removesuffix(".")
    bare = word.removeprefix("*.")
    if not bare.isascii():
        raise RefusedError(f"{shown(word)} has characters no browser sends", _punycode(word))
    if "*" in bare:
        raise RefusedError(
            f'{shown(word)} has a "*" inside', 'only a leading "*." (any depth below), or "*" alone, is possible'
        )
    if len(word) > 253 or not all(_LABEL.fullmatch(part) for part in bare.split(".")):
        raise RefusedError(
            f"{shown(word)} is not a host name", 'write "a.example.com", "*.example.com", "*" or an IP address'
        )
    return word


def _punycode(word: str) -> str:
    try:
        return f"write {shown(word.encode('idna').decode('ascii'))}"
    except UnicodeError:
        return "write it in its xn-- form"


def path(raw: object) -> Path:
    """Read a path: "/api" with everything below it, "=/exact" alone."""
    word = text(raw)
    exact = word.startswith("=")
    word = word.removeprefix("=").lstrip()
    _checked_path(word, _PATH, "#?")
    if not exact and word != "/":
        word = word.rstrip("/") or "/"
    return Path(word, exact)


def _checked_path(word: str, allowed: re.Pattern[str], extra: str) -> None:
    if not word.startswith("/"):
        raise RefusedError(f'{shown(word)} does not start with "/"')
    if len(word) > LONGEST_PATH:
        raise RefusedError(f"is {len(word):,} characters long; at most {LONGEST_PATH:,} are accepted")
    if allowed.fullmatch(word) is not None:
        return
    for character in extra:
        if character in word:
            raise RefusedError(
                f"{shown(word)} contains {character}, which is never part of a path", "write only the path"
            )
    raise RefusedError(
        f"{shown(word)} has characters that a URL path cannot have", f"write {shown(quote(word, safe='/%'))}"
    )


def check(raw: object) -> str:
    """Read how to check: "tcp", "none" or the path of an HTTP check, which may have a query."""
    word = text(raw)
    if word.lower() in ("tcp", "none"):
        return word.lower()
    if not word.startswith("/"):
        raise RefusedError(f"{shown(word)} is not a check", 'write "tcp", "none" or a path such as /health')
    before, question, query = word.partition("?")
    _checked_path(before, _PATH, "#")
    if question and (len(word) > LONGEST_PATH or _QUERY.fullmatch(query) is None):
        raise RefusedError(f"{shown(word)} has characters that a URL cannot have", "percent-encode them")
    return word


def check_host(raw: object) -> str:
    """Read the Host header of a check: a host name or IP literal, with a port if it must be sent."""
    word = text(raw)
    bare, _, number = word.rpartition(":")
    if bare and (":" not in bare or bare.endswith("]")) and _PORT.fullmatch(number):
        return f"{_plain_host(bare)}:{port(number)}"
    return _plain_host(word)


def _plain_host(word: str) -> str:
    if "*" in word:
        raise RefusedError(f"{shown(word)} is a pattern", "write one host name")
    return host(word)


def address(raw: object) -> Spot:
    """Read where a container is reached: "published", "host", or an IP with or without a port."""
    word = text(raw)
    lower = word.lower()
    if lower == "published":
        return Spot("published")
    if lower == "host":
        return Spot("host")
    if (found := ip(word.removeprefix("[").removesuffix("]"))) is not None:
        return Spot("fixed", found)
    place, _, number = word.rpartition(":")
    if (found := ip(place.removeprefix("[").removesuffix("]"))) is not None and _PORT.fullmatch(number):
        return Spot("fixed", found, port(number))
    raise RefusedError(f"{shown(word)} is not an address", 'write an IP with or without ":port", "published" or "host"')
