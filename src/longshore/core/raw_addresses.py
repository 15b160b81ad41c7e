"""Where sections of the operator's own listen, as far as these are IP addresses: names and sockets are HAProxy's."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from longshore.core import places
from longshore.core.raw import RawProcess, RawSection
from longshore.core.values import RefusedError


def listens_of(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The addresses of the `bind` lines of a section, with the number of the line."""
    for index, line in enumerate(lines):
        words = line.split()
        for address in words[1].split(",") if words[:1] == ["bind"] and len(words) > 1 else ():
            with contextlib.suppress(RefusedError):  # a name, a socket, a range: HAProxy reads it
                yield index, places.listen(address)


def addresses(raw: RawProcess) -> frozenset[str]:
    """Where the sections listen."""
    return frozenset(address for section in raw.sections for _, address in _listens(section))


def without(raw: RawProcess, unwanted: Collection[str]) -> RawProcess:
    """The same, but no section listens on these addresses."""
    if not unwanted or addresses(raw).isdisjoint(unwanted):
        return raw
    return replace(raw, sections=tuple(_less(section, unwanted) for section in raw.sections))


def _less(section: RawSection, unwanted: Collection[str]) -> RawSection:
    gone = {index for index, address in _listens(section) if address in unwanted}
    return replace(section, lines=tuple(line for index, line in enumerate(section.lines) if index not in gone))


def _listens(section: RawSection) -> Iterator[tuple[int, str]]:
    return listens_of(line.text for line in section.lines)
