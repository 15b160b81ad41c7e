"""What of the Docker Engine API a socket proxy lets through: the reading that discovery takes, and nothing else.

`judge` reads the head of a request as strictly as can be and gives either the request to make in its place, written
anew from parts that were checked one by one, or a refusal. Nothing that a client wrote is passed on as it stands: no
header, no spelling of a path, no parameter that is not in the table. So there is nothing that the engine could read
otherwise than we did.

Source of protocol facts: RFC 9112 (heads), RFC 3986 (targets), Docker Engine API 1.41 to 1.51 (paths).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

LONGEST_HEAD = 16 * 1024  # bytes
MOST_FIELDS = 64
MOST_PARAMETERS = 16

ONE = "/[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"  # an id or a name; Docker allows no other letters in them
OFFERED: tuple[tuple[str, frozenset[str]], ...] = (
    ("/_ping", frozenset()),
    ("/version", frozenset()),
    ("/info", frozenset()),
    ("/events", frozenset({"since", "until", "filters"})),
    ("/containers/json", frozenset({"all", "limit", "filters"})),  # not `size`: the engine walks the disk for it
    (f"/containers{ONE}/json", frozenset()),
    ("/networks", frozenset({"filters"})),
    (f"/networks{ONE}", frozenset({"verbose", "scope"})),
    ("/services", frozenset({"filters", "status"})),
    (f"/services{ONE}", frozenset({"insertDefaults"})),
    ("/tasks", frozenset({"filters"})),
    (f"/tasks{ONE}", frozenset()),
    ("/nodes", frozenset({"filters"})),
    (f"/nodes{ONE}", frozenset()),
)
"""Paths, without the version in front, and the parameters that each may have. GET; HEAD too for `/_ping`."""

LOCAL_NAMES = frozenset({"localhost", "docker", "api.moby.localhost", ""})
"""What clients of a loopback address call it in `Host`. A name of the web's would be a page that tricks a browser."""

_PATHS = tuple((re.compile(path), parameters) for path, parameters in OFFERED)
_VERSION = re.compile(r"/v1\.[0-9]{1,2}(?=/)")
_HEAD = re.compile(rb"[\x20-\x7e\t\r\n]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$'()*+,;:@/?&=-]|%[0-9A-Fa-f]{2})*")
_CONNECTION = frozenset({"keep-alive", "close"})


@dataclass(frozen=True, slots=True)
class Passed:
    """A request to make: GET `target`. `body`: the client wants the answer's body; `keep`: and will ask again."""

    target: str
    body: bool = True
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not made: the status to answer, why, and what was asked, short and printable."""

    status: int
    why: str
    asked: str = ""


def judge(head: bytes, *, local: bool = False) -> Passed | Refusal:
    """Judge the head of a request, from its first byte to the empty line. `local`: the client came to a TCP address."""
    shown = _shown(head)
    try:
        return _judged(head, local)
    except _No as no:
        return Refusal(no.status, no.why, shown)


class _No(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def _judged(head: bytes, local: bool) -> Passed:
    if len(head) > LONGEST_HEAD:
        raise _No(431, f"the head of the request is longer than {LONGEST_HEAD} bytes")
    if not _HEAD.fullmatch(head) or not head.endswith(b"\r\n\r\n"):
        raise _No(400, "the head of the request has bytes that do not belong there")
    first, *lines = head[:-4].decode("ascii").split("\r\n")
    if any("\r" in line or "\n" in line for line in (first, *lines)):
        raise _No(400, "a line ends with half a line end")
    words = first.split(" ")
    if len(words) != 3 or not all(words) or "\t" in first:
        raise _No(400, "the first line is not: METHOD PATH HTTP/1.1")
    method, target, version = words
    if version != "HTTP/1.1":
        raise _No(505, "only HTTP/1.1 is spoken here")
    if method not in ("GET", "HEAD"):
        raise _No(403, f"{method[:20]} is not offered: this socket only reads")
    fields = _fields(lines)
    keep = _framing(fields)
    _host(fields, local)
    path, target = _target(target)
    if method == "HEAD" and path != "/_ping":
        raise _No(403, "HEAD is offered for /_ping only")
    return Passed(target, body=method == "GET", keep=keep)


def _fields(lines: list[str]) -> dict[str, list[str]]:
    if len(lines) > MOST_FIELDS:
        raise _No(431, f"there are more than {MOST_FIELDS} headers")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise _No(400, "a line is no header")
        fields.setdefault(name.lower(), []).append(value.strip(" \t"))
    return fields


def _framing(fields: dict[str, list[str]]) -> bool:
    """Refuse all that would make more of the request than its head; tell whether the connection is kept."""
    if "upgrade" in fields or "http2-settings" in fields:
        raise _No(403, "no other protocol is offered here: Upgrade")
    if "transfer-encoding" in fields or set(fields.get("content-length", ())) - {"0"} or "expect" in fields:
        raise _No(400, "a request that only reads has no body")
    said = {word.strip().lower() for value in fields.get("connection", ()) for word in value.split(",")}
    if said - _CONNECTION:
        raise _No(403, "Connection is keep-alive or close")
    return "close" not in said


def _host(fields: dict[str, list[str]], local: bool) -> None:
    hosts = fields.get("host", [])
    if len(hosts) != 1:
        raise _No(400, "there is not exactly one Host")
    if local and not _is_local(hosts[0].lower()):
        raise _No(403, "Host is not this machine")


def _is_local(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _target(target: str) -> tuple[str, str]:
    """Find the path in the table and write the target anew: the path, and it with version and parameters."""
    if not target.startswith("/"):
        raise _No(400, "the path does not begin with /")
    said, _, query = target.partition("?")
    version = _VERSION.match(said)
    prefix = version[0] if version else ""
    path = said[len(prefix) :]
    for pattern, allowed in _PATHS:
        if pattern.fullmatch(path):
            return path, prefix + path + _query(query, allowed)
    if "%" in path or "//" in path or "/." in path or "\\" in path:
        raise _No(403, "the path is written in an unusual way")
    raise _No(403, f"the path is not offered: {path[:100]}")


def _query(query: str, allowed: frozenset[str]) -> str:
    if not query:
        return ""
    if not _QUERY.fullmatch(query):
        raise _No(400, "the parameters have characters that do not belong there")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise _No(400, "the parameters cannot be read") from None
    for name, value in pairs:
        if name not in allowed:
            raise _No(403, f"the parameter is not offered: {name[:50]!a}")
        if not value.isprintable():
            raise _No(400, f"the value of {name} has characters that do not belong there")
    if len({name for name, _ in pairs}) < len(pairs):
        raise _No(400, "a parameter is there twice")
    return f"?{urlencode(pairs)}"


def _shown(head: bytes) -> str:
    """Give the first line for a log: at most 200 printable characters."""
    line = head[:400].partition(b"\r")[0].partition(b"\n")[0].decode("ascii", "replace")
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in line.removesuffix(" HTTP/1.1"))
    return shown if len(shown) <= 200 else f"{shown[:199]}…"
