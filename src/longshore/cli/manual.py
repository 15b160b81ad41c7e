"""`longshore manual`: the manual page, made from the help of every command (man(7) says what its macros mean)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from longshore import __version__

FILES = (
    ("/etc/longshore/longshore.yaml", "The configuration, unless --config or LONGSHORE_CONFIG names another."),
    ("/var/lib/longshore", "The state: sockets, HAProxy's files, what was known last. state-dir names another."),
)
_ENTRY = re.compile(r"\* `(.+?)`(?:: (.*))?")


def manual() -> None:
    """Print the manual page: `longshore manual | man -l -`."""
    print("\n".join(_page()))


def _page() -> Iterator[str]:
    from longshore.cli.app import COMMANDS, EPILOGUE, EVERY, app

    documented = app(EVERY).generate_docs("markdown")
    sections = re.split(r"^#{2,3} longshore ", documented, flags=re.MULTILINE)[1:]
    yield f'.TH LONGSHORE 1 "" "longshore {__version__}"'
    yield from (".SH NAME", r"longshore \- load balancing that follows your containers")
    yield from (".SH SYNOPSIS", ".B longshore", r"\fICOMMAND\fR [\fIOPTIONS\fR]")
    yield from (".SH DESCRIPTION", "HAProxy, kept true to Docker and to registries at runtime.", "Start with:")
    yield from (".RS", ".B longshore up", ".RE")
    yield ".SH COMMANDS"
    for section in sections:
        name, _, text = section.partition("\n")
        yield f".SS longshore {_safe(name.strip())}"
        yield from _section(text)
        examples = COMMANDS[name.strip()].examples if name.strip() in COMMANDS else ()
        if examples:
            yield from (".PP", "Examples:", ".nf", *(f"  {_safe(line)}" for line in examples), ".fi")
    yield ".SH EXIT STATUS"
    yield _safe(EPILOGUE.removeprefix("Exit codes: "))
    yield ".SH FILES"
    for path, meaning in FILES:
        yield from (".TP", f".I {_safe(path)}", _safe(meaning))
    yield from (".SH SEE ALSO", r".BR haproxy (1), .BR docker (1)".replace(", .BR ", ",\n.BR "))


def _section(text: str) -> Iterator[str]:
    """Turn one command's Markdown, as cyclopts writes it, into macros."""
    block = False
    for line in text.splitlines():
        entry = _ENTRY.fullmatch(line)
        if line.startswith("```"):
            block = not block
        elif block:
            yield from (".PP", rf"\fB{_safe(line)}\fR")
        elif entry:
            yield from (".TP", rf"\fB{_safe(entry[1])}\fR", _safe(_plain(entry[2] or "")))
        elif line.startswith("**"):
            pass  # "Parameters", "Arguments": the entries speak for themselves
        elif line.strip():
            yield from (".PP", _safe(_plain(line)))


def _plain(text: str) -> str:
    """Take the marks of Markdown out."""
    return re.sub(r"\*\*?(\[.*?\])\*\*?", r"\1", text).replace("`", "")


def _safe(text: str) -> str:
    """Keep text from being read as macros or escapes."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
