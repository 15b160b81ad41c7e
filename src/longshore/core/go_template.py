"""Templates for tags as registrator has them: Go's text/template over a container, as far as its documentation shows.

    {{ .Config.Hostname }}-{{ mIndex "com.amazonaws.ecs.task-arn" .Config.Labels | splitIndex -1 "/" | toUpper }}

`template` parses and refuses what is not known here, `Template.of` fills in what is known of one container. A label
that is not there is "". (registrator's bridge/bridge.go, newService; Go's text/template)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from longshore.core.containers import Container
from longshore.core.go_functions import FUNCTIONS, REFUSED, Value
from longshore.core.values import RefusedError, shown

LONGEST = 4096
_FIELDS: dict[str, Callable[[Container], Value]] = {
    ".ID": lambda c: c.id,
    ".Name": lambda c: f"/{c.name}",
    ".Config.Hostname": lambda c: c.hostname,
    ".Config.Image": lambda c: c.image,
    ".Config.Labels": lambda c: dict(c.labels),
    ".Config.Env": lambda c: [f"{key}={value}" for key, value in c.env.items()],
    ".HostConfig.NetworkMode": lambda c: c.network_mode,
    ".NetworkSettings.IPAddress": lambda c: next((each.ipv4 for each in c.networks if each.name == "bridge"), ""),
}
_KEYWORDS = ("if", "else", "end", "range", "with", "define", "template", "block", "break", "continue")
_ACTION = re.compile(r"(\s*)\{\{(- |-(?=\n))?(.*?)( -)?\}\}(\s*)", re.DOTALL)
_TOKEN = re.compile(
    r"""\s+|(?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?P<number>-?[0-9]+)|(?P<field>(?:\.[A-Za-z_][A-Za-z0-9_]*)+)"""
    r"""|(?P<name>[A-Za-z_$][A-Za-z0-9_]*)|(?P<mark>[()|])""",
    re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a container, and with `key` one of its labels."""

    path: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]


Node = str | int | Field | Call


@dataclass(frozen=True, slots=True)
class Template:
    """A template: plain text and what is to be filled in, in their order."""

    parts: tuple[str | tuple[Node], ...]

    def of(self, container: Container) -> str:
        """Fill it in. Raises RefusedError."""
        return "".join(part if isinstance(part, str) else _text(_value(part[0], container)) for part in self.parts)


def is_template(text: str) -> bool:
    """Whether there is anything to fill in."""
    return "{{" in text


@lru_cache(maxsize=64)
def template(text: str) -> Template:
    """Parse a template. Raises RefusedError saying what is not understood."""
    if len(text) > LONGEST:
        raise RefusedError(f"a template of {len(text):,} characters is too long", f"at most {LONGEST:,}")
    parts: list[str | tuple[Node]] = []
    end = 0
    for match in _ACTION.finditer(text):
        before, trims, inner, trims_behind, behind = match.groups()
        parts.append(text[end : match.start()] + ("" if trims else before))
        if not re.fullmatch(r"/\*.*\*/", inner.strip(), re.DOTALL):
            parts.append((_Parser(inner).whole(),))
        parts.append("" if trims_behind else behind)
        end = match.end()
    rest = text[end:]
    if "{{" in rest:
        raise RefusedError(f'"{{{{" is not closed: {shown(rest)}', 'write "}}" behind it')
    return Template(tuple(part for part in (*parts, rest) if part != ""))


class _Parser:
    """One action: a pipeline."""

    def __init__(self, inner: str) -> None:
        self._inner = inner
        self._tokens = list(self._split(inner))

    def whole(self) -> Node:
        node = self._pipeline()
        if self._tokens:
            raise self._odd(self._tokens[0][1])
        return node

    def _split(self, inner: str) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(inner):
            match = _TOKEN.match(inner, at)
            if match is None:
                raise self._odd(inner[at:])
            if match.lastgroup:
                yield match.lastgroup, match[0]
            at = match.end()

    def _pipeline(self) -> Node:
        node = self._command()
        while self._tokens and self._tokens[0][1] == "|":
            self._tokens.pop(0)
            call = self._command()
            if not isinstance(call, Call):
                raise self._odd("|")
            node = _checked(Call(call.name, (*call.arguments, node)))
        return _checked(node)

    def _command(self) -> Node:
        if not self._tokens:
            raise self._odd("")
        if self._tokens[0][0] != "name":
            return self._operand()
        name = self._tokens.pop(0)[1]
        if name in _KEYWORDS or name in REFUSED or name not in FUNCTIONS:
            raise _unknown(name)
        arguments = []
        while self._tokens and self._tokens[0][1] not in ("|", ")"):
            arguments.append(self._operand())
        return Call(name, tuple(arguments))

    def _operand(self) -> Node:
        if not self._tokens:
            raise self._odd("")
        kind, text = self._tokens.pop(0)
        match kind:
            case "text" if text[0] == "`":
                return text[1:-1]
            case "text":
                return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text[1:-1])
            case "number":
                return int(text)
            case "field":
                return _field(text)
            case "mark" if text == "(":
                node = self._pipeline()
                if not self._tokens or self._tokens.pop(0)[1] != ")":
                    raise self._odd("(")
                return node
            case "name" if text in FUNCTIONS:
                return _checked(Call(text, ()))
        raise self._odd(text)

    def _odd(self, text: str) -> RefusedError:
        near = f", at {shown(text)}" if text.strip() else ""
        return RefusedError(f"cannot read {shown('{{' + self._inner + '}}')}{near}", "write {{ function argument … }}")


def _field(path: str) -> Field:
    if path in _FIELDS:
        return Field(path)
    head, _, key = path.rpartition(".")
    if head == ".Config.Labels":
        return Field(head, key)
    raise RefusedError(f"{path} is nothing that longshore knows of a container", _meant(path, _FIELDS))


def _unknown(name: str) -> RefusedError:
    known = f"known are: {', '.join(FUNCTIONS)}"
    if name in _KEYWORDS:
        return RefusedError(f"{{{{{name}}}}} is not supported in templates for tags", known)
    if name in REFUSED:
        return RefusedError(f"the function {name} is not supported: {REFUSED[name]}", known)
    return RefusedError(f"there is no function {shown(name)}", _meant(name, FUNCTIONS))


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1, 0.7)
    return f"did you mean {close[0]}?" if close else f"known are: {', '.join(known)}"


def _checked(node: Node) -> Node:
    """Refuse a call with too few or too many arguments."""
    if isinstance(node, Call):
        least, most, _ = FUNCTIONS[node.name]
        if not least <= len(node.arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise RefusedError(f"{node.name} takes {wanted} arguments, not {len(node.arguments)}")
    return node


def _value(node: Node, container: Container) -> Value:
    match node:
        case Field(path, key):
            found: Value = _FIELDS[path](container)
            return found.get(key, "") if key and isinstance(found, Mapping) else found
        case Call(name, arguments):
            values = [_value(each, container) for each in arguments]
            try:
                return FUNCTIONS[name][2](*values)
            except (TypeError, AttributeError, ValueError, re.error) as error:
                raise RefusedError(f"{name} cannot work on what it is given: {error}") from None
    return node


def _text(value: Value) -> str:
    """As Go prints it."""
    if isinstance(value, list):
        return f"[{' '.join(value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{value[key]}' for key in sorted(value))}]"
    return str(value)
