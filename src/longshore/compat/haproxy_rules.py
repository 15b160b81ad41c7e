"""HAProxy's old rules on raw lines of a request or response (until 2.0), said with `http-request` and `http-response`.

They matched a regular expression against each line as it came: the request line "GET /x HTTP/1.1", then "Host: a".
What is translated here means exactly the same; what cannot be is refused, with what to write in its place. The order of
their work was: `block`, `http-request`, the rules with regular expressions, `reqadd` (see `haproxy_lines.in_order`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from longshore.compat.haproxy_conditions import Condition, condition
from longshore.compat.haproxy_words import joined, literal
from longshore.core.values import RefusedError

LINE = "txn.longshore_request_line"
_BLANK = re.compile(r"(?: [*+?]?|\\s[*+?]|\[ \][*+?]?|\[ \\t\][*+]|\(\?: \)\?)")
_METHOD = re.compile(
    r"\^(?P<any>(?P<kept>\()?(?:\[\^ :?\]|\[\^: \]|\\S|\[A-Z\]|\[a-zA-Z\]|\\w)[*+](?(kept)\))|"
    r"\((?P<several>[A-Z]+(?:\|[A-Z]+)*)\)|(?P<one>[A-Z]+)) "
)
_VERSION = re.compile(
    r" (?:(?P<group>\((?:\.\*|HTTP/?\.\*|HTTP/1\\?\.\[01\]|HTTP/\[\^ \]\*)\))|HTTP/(?:\.\*|1\\?\.\[01\]|1\\?\..))\$?$"
)
_REST = re.compile(r"\(\.\*\)\$?$")


@dataclass(frozen=True, slots=True)
class Old:
    """One old rule: `reqirep <pattern> <replacement> if …`."""

    side: str  # "http-request" or "http-response"
    pattern: str
    replacement: str
    blind: bool  # to upper and lower case
    when: Condition

    @property
    def flagged(self) -> str:
        """The pattern's prefix for the regular expressions of replace-*."""
        return "(?i)" if self.blind else ""

    @property
    def match(self) -> str:
        """How a condition compares with the pattern."""
        return "-m reg -i" if self.blind else "-m reg"


def rule(parts: list[str]) -> tuple[str, ...]:
    """The lines that say the same as one old rule. RefusedError if nothing does."""
    word = parts[0].lower()
    side = "http-response" if word.startswith("rsp") else "http-request"
    kind = word[3:].removeprefix("i") if word[3:] not in ("ideny", "idel") else word[4:]
    blind = word[3:4] == "i"
    if len(parts) < 2 or (kind == "rep" and len(parts) < 3):
        raise RefusedError(f"{joined(parts)}: something is missing", "see the manual of HAProxy 1.6")
    behind = parts[3:] if kind == "rep" else parts[2:]
    old = Old(side, parts[1], parts[2] if kind == "rep" else "", blind, condition(behind))
    match kind:
        case "add":
            return _added(old)
        case "del":
            return _deleted(old)
        case "deny" | "tarpit":
            return _denied(old, kind)
        case "rep":
            return _replaced(old)
        case "setbe":
            hint = "write an `acl` with `path_beg`, `hdr(host)` or the like, and `use_backend <name> if <acl>`"
        case _:
            hint = f"write `{side} allow if …`, before the rules that it is an exception from"
    raise RefusedError(f"{parts[0]} is gone from HAProxy since 2.1, and nothing does quite the same", hint)


def _added(old: Old) -> tuple[str, ...]:
    found = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)", old.pattern)
    if found is None:
        raise RefusedError(f'{joined([old.pattern])} is no header like "X-Name: value"', "write name, colon and value")
    return (f"{old.side} add-header {joined([found[1], literal(found[2])])}{old.when}",)


def _header(pattern: str) -> tuple[list[str], str] | None:
    """The headers whose lines a pattern matches, and the pattern of the value; None if that is not what it does."""
    found = re.match(r"\^(?:\((?:\?:)?([A-Za-z0-9_|-]+)\)|([A-Za-z0-9_-]+)):(.*)$", pattern)
    if found is None:
        return None
    names = (found[1] or found[2]).split("|")
    blank = _BLANK.match(found[3])
    rest = found[3][blank.end() :] if blank else found[3]
    if not blank and rest and not rest.startswith(".*"):
        return None
    return names, rest


def _deleted(old: Old) -> tuple[str, ...]:
    start = re.fullmatch(r"\^([A-Za-z0-9_-]+)(?:\.\*:?(?:\.\*)?|\[\^:\]\*:?(?:\.\*)?)?", old.pattern)
    if start:
        return (f"{old.side} del-header {start[1]} -m beg{old.when}",)
    found = _header(old.pattern)
    if found and found[1].removesuffix("$") in ("", ".*", "(.*)"):
        return tuple(f"{old.side} del-header {name}{old.when}" for name in found[0])
    raise RefusedError(
        f"{joined([old.pattern])} deletes lines by more than the name of a header",
        f"write `{old.side} del-header <name> if {{ {old.side[5:8]}.hdr(<name>) … }}`",
    )


def _denied(old: Old, action: str) -> tuple[str, ...]:
    if found := _header(old.pattern):
        names, rest = found
        fetch = "req.fhdr" if old.side == "http-request" else "res.fhdr"
        matching = f"{old.match} -- {joined([_anchored(rest)])}" if rest.removesuffix("$") else "-m found"
        return tuple(f"{old.side} {action}{old.when.narrowed(f'{{ {fetch}({name}) {matching} }}')}" for name in names)
    if old.side == "http-request" and _METHOD.match(old.pattern):
        line = joined(["http-request", f"set-var-fmt({LINE})", "%[method] %[pathq] HTTP/%[req.ver]"])
        term = f"{{ var({LINE}) {old.match} -- {joined([old.pattern])} }}"
        return (line, f"http-request {action}{old.when.narrowed(term)}")
    raise RefusedError(
        f"{joined([old.pattern])} is neither on the request line nor on one header",
        f'write "{old.side} {action} if {{ path_beg /x }}", or with the header that is meant',
    )


def _anchored(rest: str) -> str:
    return rest if rest.startswith(".*") else "^" + rest


def _replaced(old: Old) -> tuple[str, ...]:
    if found := _header(old.pattern):
        names, rest = found
        name = names[0]
        start = re.match(rf"{re.escape(name)}:[ ]?", old.replacement, re.IGNORECASE)
        if len(names) == 1 and "(" + name not in old.pattern and start:
            value = literal(old.replacement[start.end() :])
            words = [old.side, "replace-header", name, old.flagged + _anchored(rest), value]
            return (joined(words) + str(old.when),)
        raise RefusedError(
            f"{joined([old.pattern])} renames headers",
            f"write `{old.side} set-header <new> %[…hdr(<old>)]` and `{old.side} del-header <old>`",
        )
    if old.side == "http-request" and _METHOD.match(old.pattern):
        return _path(old)
    hint = "write `http-request replace-pathq`, `replace-uri` or `replace-header`"
    if old.side == "http-response":
        hint = "write `http-response set-status` or `http-response replace-header`"
    raise RefusedError(f"{joined([old.pattern])} is neither on the request line nor on one header", hint)


def _path(old: Old) -> tuple[str, ...]:
    """`^([^ ]*) /a/(.*)` → `\\1 /b/\\2`: what lies between the method and the version, as replace-pathq."""
    method = _METHOD.match(old.pattern)
    assert method, old
    kept = bool(method["kept"] or method["several"])
    old, start = _method(old, method), r"\1 " if kept else f"{method['one']} "
    tail = old.pattern[method.end() :]
    cure = RefusedError(
        f"{joined([old.pattern])} → {joined([old.replacement])} cannot be said exactly on path and query",
        "write `http-request replace-path`, `replace-pathq` or `replace-uri`",
    )
    if not old.replacement.startswith(start) or not (kept or method["one"]):
        raise cure
    new = old.replacement[len(start) :]
    version, rest = _VERSION.search(tail), _REST.search(tail)
    if version:
        path, closing = tail[: version.start()], "$"
        last = int(kept) + _groups(path) + 1
        ends = rf" \{last}" if version["group"] else None
        cut = len(ends) if ends and new.endswith(ends) else 0
        if not ends and (said := re.search(r" HTTP/1\.[01]$", new)):
            cut = len(said[0])
        if not cut:
            raise cure
        new = new[:-cut]
    elif rest and not re.search(r"(?<!\\)\.[*+?{]|\[\^(?![^\]]* )|\\[WDs]", tail[: rest.start()]):
        path, closing = tail, ""
        last = int(kept) + _groups(path)
        if not new.endswith(rf"\{last}"):
            raise cure
    else:
        raise cure
    used = [int(number) for number in re.findall(r"\\(\d)", new)]
    top = int(kept) + _groups(path)
    if " " in _bare(path) or " " in new or not re.match(r"/|\\\d", new) or any(not kept < n <= top for n in used):
        raise cure
    if not closing and used.count(top) != 1:
        raise cure
    new = re.sub(r"\\(\d)", lambda found: rf"\{int(found[1]) - kept}", new)
    return (joined(["http-request", "replace-pathq", f"{old.flagged}^{path}{closing}", literal(new)]) + str(old.when),)


def _method(old: Old, method: re.Match[str]) -> Old:
    """The rule with the methods that its pattern names as one more condition."""
    said = method["several"] or method["one"]
    if not said:
        return old
    return replace(old, when=old.when.narrowed(f"{{ method {said.replace('|', ' ')} }}"))


def _groups(pattern: str) -> int:
    """How many groups a regular expression keeps."""
    return len(re.findall(r"\((?!\?)", _bare(pattern)))


def _bare(pattern: str) -> str:
    """A regular expression without what is escaped, and without its classes of characters."""
    return re.sub(r"\\.|\[\^?\]?[^\]]*\]", "", pattern)
