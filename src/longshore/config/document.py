"""A YAML file as plain data that remembers where everything was written.

YAML 1.2 (`on` is a text, `12:30` is no number), one document, no duplicate keys, no tags and no merge keys. All that is
wrong is said in sentences for people, with line and column.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from longshore.config.problems import ConfigProblem, Path, Place

LARGEST = 2**20  # bytes; a configuration that is larger is a mistake, and parsing it would take minutes
MOST_NODES = 100_000  # stops aliases of aliases of aliases
TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """What one file says, or what a forerunner's file says in our terms."""

    file: str
    data: Any = None  # dict, list, str, int, float, bool or None; None when there are problems that leave nothing
    keys: dict[Path, Place] = field(default_factory=dict)  # where the key of a path was written
    values: dict[Path, Place] = field(default_factory=dict)  # where its value was written
    problems: list[ConfigProblem] = field(default_factory=list)
    notes: list[ConfigProblem] = field(
        default_factory=list
    )  # what was translated: `steps` in our terms, place in theirs
    set_aside: list[ConfigProblem] = field(default_factory=list)  # of services left out, so that the others go on
    lent: dict[str, list[tuple[Path, Any, Place]]] = field(default_factory=dict)  # lines of a service in others' lists
    kept: frozenset[Path] = frozenset()  # services that are set aside, and go on as they were

    def place(self, path: Path, *, key: bool = False) -> Place:
        """The position of a path's value (or key), or of the nearest thing around it that was written."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        while path:
            if found := first.get(path) or second.get(path):
                return found
            path, first, second = path[:-1], self.keys, self.values
        return self.values.get((), Place(self.file, 1, 1))

    def written(self, path: Path) -> bool:
        """Whether something was said for a path, or for what is directly around it."""
        return path in self.values or path[:-1] in self.values


def read(path: File, name: str = "") -> Document:
    """Read and parse a file. Never raises; what is wrong is in `problems`."""
    try:
        return parse(content(path), name or str(path))
    except OSError as error:
        return unreadable(error, path, name)


def content(path: File) -> bytes:
    """Read a file as far as `parse` needs it, one byte more than is accepted. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(LARGEST + 1)


def unreadable(error: OSError, path: File, name: str = "") -> Document:
    """Say why a file cannot be read."""
    hint = ""
    match error.errno:
        case errno.EISDIR:
            what, hint = "is a folder, expected a file", "name the YAML file inside it"
        case errno.ENOENT:
            what = "does not exist"
            hint = "" if path.parent.is_dir() else f"there is no folder {path.parent} either"
        case errno.EACCES | errno.EPERM:
            what = "cannot be read: permission denied"
            hint = "the user that longshore runs as must be allowed to read it"
        case _:
            what = f"cannot be read: {error.strerror or error}"
    return _broken(name or str(path), what, hint)


def _broken(name: str, what: str, hint: str = "", line: int = 0, column: int = 0) -> Document:
    return Document(name, problems=[ConfigProblem(Place(name, line, column), what, hint=hint)])


def parse(content: bytes, name: str, *, merge: bool = False) -> Document:
    """Parse the content of a file. Never raises; what is wrong is in `problems`.

    `merge` allows YAML 1.1's merge keys ("<<"), which files of others may have.
    """
    if len(content) > LARGEST:
        return _broken(name, f"is larger than {LARGEST // 2**20} MiB", "is this the right file?")
    if b"\0" in content:
        return _broken(name, "is not a text file: it contains NUL bytes", "is this the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return _broken(name, f"byte 0x{content[error.start]:02x} is not UTF-8", "save the file as UTF-8", line, column)
    document = Document(name)
    try:
        root = _yaml().compose(text)
        if root is not None:
            document.data = _Reading(document, merge=merge).value(root, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return _broken(name, *_syntax(error, text, line, column), line, column)
    except ReaderError as error:
        before_text = text[: error.position] if isinstance(error.position, int) else ""
        line, column = before_text.count("\n") + 1, len(before_text) - before_text.rfind("\n")
        return _broken(name, "not valid YAML: a control character", "remove it, or write it escaped", line, column)
    except RecursionError:
        return _broken(name, "is nested too deeply")
    except (YAMLError, ValueError) as error:
        return _broken(name, f"not valid YAML: {error}")
    return document


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = "1.2"
    yaml.composer.warn_double_anchors = False  # YAML allows it: an anchor may be used again
    return yaml


def _syntax(error: MarkedYAMLError, text: str, line: int, column: int) -> tuple[str, str]:
    """Put the parser's words into a sentence, with what usually helps."""
    lines = text.splitlines()
    rest = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    said = str(error.problem or "").strip()
    if "\\t" in said or rest.startswith("\t"):
        return "a tab cannot indent in YAML", "use spaces"
    if "single document" in str(error.context or ""):
        return "a second document begins here, expected one", 'remove the line "---" or split the file'
    if "alias" in said or "alias" in str(error.context or ""):
        return "a text cannot begin with * unless it is in quotes", f'write "{rest.split(" #")[0].strip()}" in quotes'
    if said.startswith("found character") and rest[:1] in tuple("@`%|>&!"):
        return f"a text cannot begin with {rest[0]} unless it is in quotes", "put it in quotes"
    if said.startswith(("expected <block end>", "expected '<document start>'")):
        return "this does not fit the lines before it", "is the indentation the same, is every bracket closed once?"
    hints = {
        "mapping values are not allowed here": 'is an indentation wrong, or is there ": " in a text without quotes?',
        "could not find expected ':'": 'expected "key: value"; is a colon or the space after it missing?',
        "found unexpected end of stream": "is a closing quote or bracket missing?",
        "did not find expected": "is a comma, a closing quote or a bracket missing?",
        "expected ',' or": "is a comma, a closing quote or a bracket missing?",
    }
    hint = next((hint for start, hint in hints.items() if start in said), "")
    return f"not valid YAML: {said or error}", hint


class _Reading:
    """Turns YAML's nodes into plain data and notes where each was written."""

    def __init__(self, document: Document, *, merge: bool = False) -> None:
        self.document = document
        self.merge = merge
        self.nodes = 0
        self.open: set[int] = set()

    def complain(self, node: Node, path: Path, what: str, hint: str = "") -> None:
        self.document.problems.append(ConfigProblem(self.at(node), what, path, hint))

    def at(self, node: Node) -> Place:
        return Place(self.document.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def value(self, node: Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES:,} values; do aliases multiply them?")
        if id(node) in self.open:
            self.complain(node, path, "contains itself through an alias")
            return None
        self.document.values.setdefault(path, self.at(node))
        self.open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self.mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, ScalarNode), node
            return self.scalar(node, path)
        finally:
            self.open.remove(id(node))

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.complain(key_node, path, "a key must be a plain word")
                continue
            key = key_node.value
            here = (*path, key)
            if key == "<<" and self.merge:
                continue
            if key == "<<":
                self.complain(key_node, path, 'merge keys ("<<") are not supported', "write the keys out")
            elif key in data:
                first = self.document.keys[here]
                self.complain(
                    key_node, here, f"is said twice, first in line {first.line}, column {first.column}", "remove one"
                )
            else:
                self.document.keys[here] = self.at(key_node)
                data[key] = self.value(value_node, here)
        for key_node, value_node in self.merged(node, path) if self.merge else ():
            if key_node.value not in data:
                here = (*path, key_node.value)
                self.document.keys[here] = self.at(key_node)
                data[key_node.value] = self.value(value_node, here)
        return data

    def merged(self, node: MappingNode, path: Path) -> Iterator[tuple[ScalarNode, Node]]:
        """What a mapping takes over by "<<": of several, and of what those take over, the first counts."""
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.value != "<<":
                continue
            for found in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                if not isinstance(found, MappingNode):
                    self.complain(key_node, path, 'what "<<" names must be a mapping')
                    continue
                plain = [pair for pair in found.value if isinstance(pair[0], ScalarNode) and pair[0].value != "<<"]
                yield from plain
                yield from self.merged(found, path)

    def scalar(self, node: ScalarNode, path: Path) -> Any:
        text = node.value
        match str(node.tag).removeprefix(TAG):
            case "str" | "timestamp" | "merge" | "value":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "int":
                return self.integer(node, path)
            case "float":
                number = text.lower().replace(".inf", "inf").replace(".nan", "nan")
                return float(number)
            case other:
                self.complain(node, path, f"the tag {other} is not supported", "write plain text or numbers")
                return text

    def integer(self, node: ScalarNode, path: Path) -> Any:
        text = node.value.replace("_", "")
        if len(text) > 40:
            self.complain(node, path, "a number of that length is not supported", "put it in quotes if it is a text")
            return node.value
        return int(text, 0) if text.lstrip("+-")[:2] in ("0x", "0o", "0b") else int(text)
