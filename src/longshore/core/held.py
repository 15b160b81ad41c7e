"""What a name in DNS stands for, over time: the last good answer, and how long it counts after that.

    answered ──▶ its records, at once
    answered, but cut short ──▶ its records and those before: who is missing in it may be there all the same
    no such name, no such record ──▶ the last records for `hold` seconds, then none
    no answer ──▶ the last records, for as long as it takes: unknown is never empty

Some nameservers give another part of all records with each answer. That shows when records come and go while their
number stays the same; such a name keeps every record for `hold` seconds after it was seen last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

SHUFFLES = 4  # answers of equal length, one after another, with members of which some had gone and are back


@dataclass(frozen=True, slots=True)
class Record:
    """One address and port. Weight and priority as SRV records have them."""

    address: str
    port: int
    host: str = ""  # the name that has the address, when it is not the name that was asked for
    priority: int = 0
    weight: int | None = None

    @property
    def place(self) -> tuple[str, int]:
        """What tells it from the others."""
        return self.address, self.port


@dataclass(slots=True)
class Held:
    """One name."""

    hold: float  # seconds
    records: tuple[Record, ...] = ()
    known: bool = False  # whether it was answered since the start
    absent: float | None = None  # since when it has no records, according to all who know
    _seen: dict[tuple[str, int], tuple[float, Record]] = field(default_factory=dict)  # within `hold`, by place
    _shuffles: int = 0
    _last: frozenset[tuple[str, int]] = frozenset()

    @property
    def shuffled(self) -> bool:
        """Whether each answer holds another part of the records."""
        return self._shuffles >= SHUFFLES

    def found(self, records: Iterable[Record], now: float, *, partial: bool = False) -> None:
        """Take an answer. `partial`: not all records are in it."""
        new = {record.place: record for record in records}
        if partial:
            new = {record.place: record for record in self.records} | new
        else:
            self._watch(new, now)
            if self.shuffled:
                new = {place: record for place, (_, record) in self._seen.items()}
        self.known, self.absent = True, None
        self._set(new.values())

    def nothing(self, now: float) -> None:
        """Take that there is no such name or record."""
        if self.absent is None:
            self.absent = now
        if now - self.absent >= self.hold:
            self._set(())
        self.known = True

    @property
    def ends(self) -> float | None:
        """When the records of a name that is no longer there end; None: they do not, or have ended."""
        return self.absent + self.hold if self.absent is not None and self.records else None

    def _watch(self, new: dict[tuple[str, int], Record], now: float) -> None:
        """Tell a shuffled answer from a changed one."""
        members = frozenset(new)
        if len(members) != len(self._last):
            self._shuffles = 0
        elif members != self._last and any(place in self._seen for place in members - self._last):
            self._shuffles += 1
        self._last = members
        self._seen |= {place: (now, record) for place, record in new.items()}
        self._seen = {place: each for place, each in self._seen.items() if now - each[0] < self.hold}

    def _set(self, records: Iterable[Record]) -> None:
        ordered = tuple(sorted(records, key=lambda record: (record.priority, record.place)))
        if ordered != self.records:
            self.records = ordered
