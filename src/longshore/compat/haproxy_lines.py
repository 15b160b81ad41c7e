"""Lines of HAProxy's configuration as forerunners keep them: which section they belong to, and how they are said today.

A line that HAProxy 2.6 to 3.4 takes without a word comes back as it was written. One that it has dropped comes back as
what means the same, with a sentence on it; where nothing does, `RefusedError` says why, and what to write in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from longshore.compat import haproxy_addresses as addresses
from longshore.compat.haproxy_keywords import BACKEND, DISCARDED, FRONTEND, ONCE, SIDES, discarded, keyword
from longshore.compat.haproxy_old import OLD, PATTERN_RULES
from longshore.compat.haproxy_words import words
from longshore.config.problems import suggestion
from longshore.core.values import RefusedError, shown

__all__ = ["DISCARDED", "check", "discarded", "in_order", "mode", "modern", "sides", "split", "title"]
HTTP_METHODS = ("GET", "HEAD", "OPTIONS")  # of our own first check


def sides(line: str) -> frozenset[str]:
    """Where a line of a `listen` list belongs: "frontend", "backend" or both; nowhere if it is empty or a comment.

    RefusedError for a keyword that no HAProxy since 1.5 knows.
    """
    said = keyword(line)
    if not said or said.startswith("#"):
        return frozenset()
    if said not in SIDES:
        family = said.split()[0] if " " in said else ""
        close = suggestion(said, [known for known in SIDES if known.startswith(family)])
        hint = close if close.startswith("did") else "is it written as in HAProxy's configuration manual?"
        raise RefusedError(f"{shown(line.strip())}: HAProxy knows no {shown(said)}", hint)
    return SIDES[said]


def split(lines: Iterable[str], *, frontend: bool = True) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take a `listen` list apart into the lines of its frontend and those of its backend.

    As Synapse did: what counts on both sides stands on both. `frontend` says whether there is one at all.
    RefusedError for the first line that belongs nowhere; `sides` tells it of each line.
    """
    found: tuple[list[str], list[str]] = ([], [])
    for line in lines:
        where = sides(line)
        if keyword(line) in ONCE:
            where = FRONTEND if frontend and keyword(line) != "guid" else BACKEND
        for side, kept in zip(("frontend", "backend"), found, strict=True):
            if side in where:
                kept.append(line.strip())
    return tuple(found[0]), tuple(found[1])


def modern(line: str, section: str, mode: str = "http", *, unverified: bool = False) -> tuple[tuple[str, ...], str]:
    """Say a line of a section as HAProxy 2.6 to 3.4 takes it: the lines that do, and a note if they are others.

    `section` is "global", "defaults", "frontend", "backend", "listen" or another first word of a section; "server" and
    "bind" are for the words behind an address. No lines: nothing needs to be said. Raises RefusedError. `unverified`:
    `global` says `ssl-server-verify none`.
    """
    if section == "server":
        return addresses.server(line, unverified=unverified)
    if section == "bind":
        return addresses.bind(line)
    if not line.strip() or line.lstrip().startswith("#"):
        return (), ""
    said = keyword(line)
    for kind in (section, "proxy" if section in ("defaults", "frontend", "backend", "listen") else ""):
        translate = OLD.get((kind, said)) or OLD.get((kind, said.split()[0]))
        if translate and (found := translate(words(line), section, mode)) is not None:
            return found
    return (line.strip(),), ""


def title(line: str) -> tuple[str, tuple[str, ...], str]:
    """Say the first line of a section: the title, lines that the section begins with, and a note.

    Addresses stood behind the name of a proxy; sections that HAProxy has dropped are refused.
    """
    said = words(line)
    if not said:
        raise RefusedError("an empty line begins no section", 'write "listen stats" or "backend old"')
    if said[:1] == ["program"]:
        hint = "let systemd or another supervisor run it"
        raise RefusedError(f"{shown(line)}: HAProxy starts no other programs since 3.3", hint)
    if said[:1] in (["listen"], ["frontend"], ["backend"]) and len(said) > 2 and said[2] != "from":
        note = f"{said[2]} behind the name of a section is a `bind` line of its own now"
        return " ".join(said[:2]), (f"bind {' '.join(said[2:])}",), note
    return line.strip(), (), ""


def in_order(lines: Sequence[str]) -> tuple[int, ...]:
    """The positions of old lines in the order that HAProxy worked through them, for what becomes `http-request` rules.

    `block` came before them, the rules with regular expressions behind them, `reqadd` last, wherever they were written.
    """
    ranks = [_rank(keyword(line)) for line in lines]
    if not any(ranks):
        return tuple(range(len(lines)))
    ranks = [-2 if keyword(line) == "acl" else rank for line, rank in zip(lines, ranks, strict=True)]
    return tuple(sorted(range(len(lines)), key=lambda at: ranks[at]))


def _rank(said: str) -> int:
    if said == "block":
        return -1
    if said in ("reqadd", "rspadd"):
        return 2
    return 1 if said in PATTERN_RULES else 0


def mode(lines: Iterable[str], defaults: Iterable[str] = ()) -> str:
    """Whether a proxy with these lines, behind these defaults, speaks "http" or, if nothing is said, "tcp"."""
    found = "tcp"
    for line in (*defaults, *lines):
        if keyword(line) == "mode":
            found = "tcp" if words(line)[1:2] == ["tcp"] else "http"
    return found


def check(lines: Iterable[str]) -> dict[str, str]:
    """What of HAProxy's own check can be said with our keys, for our first check; nothing for a connection alone."""
    found: dict[str, str] = {}
    asked = False
    for line in (new for old in lines for new in modern(old, "backend")[0]):
        said = words(line)
        if said[:2] == ["option", "httpchk"]:
            asked = True
            found |= {"check": "/", "check-method": "OPTIONS"} | _asked(said[2:])
        elif said[:2] == ["http-check", "send"]:
            found |= _sent(said[2:])
        elif said[:2] == ["http-check", "expect"]:
            found |= _expected(said[2:])
    if not asked or found["check-method"] not in HTTP_METHODS or not found["check"].startswith("/"):
        return {}
    if found["check-method"] == "HEAD":
        found.pop("check-expect", None)
    return {key: value for key, value in found.items() if (key, value) != ("check-method", "GET")}


def _asked(said: list[str]) -> dict[str, str]:
    """`option httpchk [<method>] <uri> [<version>]`."""
    if not said:
        return {}
    if len(said) == 1:
        return {"check": said[0]}
    return {"check": said[1], "check-method": said[0].upper()}


def _sent(said: list[str]) -> dict[str, str]:
    """`http-check send meth <m> uri <u> hdr <name> <value> …`."""
    found: dict[str, str] = {}
    rest = iter(said)
    for word in rest:
        if word == "meth":
            found["check-method"] = next(rest, "")
        elif word == "uri":
            found["check"] = next(rest, "")
        elif word == "hdr":
            name, value = next(rest, ""), next(rest, "")
            if name.lower() == "host":
                found["check-host"] = value
    return found


def _expected(said: list[str]) -> dict[str, str]:
    """`http-check expect status 200` or `string Hello`; our first check cannot look for more."""
    if len(said) == 2 and said[0] == "status":
        return {"check-status": said[1]}
    if len(said) == 2 and said[0] == "string":
        return {"check-expect": said[1]}
    return {}
