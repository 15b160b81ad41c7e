"""What stands at each key of a registry, read entry by entry: for people who look, and for `sync`.

A source makes services of entries (`core.registered`); here they stay what they are, broken ones too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.core.entries import Broken, Entry, Setting
from longshore.core.layouts import payload
from longshore.core.registered_entry import Value
from longshore.core.registered_options import Options

Found = Entry | Setting | Broken


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one key; None: nothing stood there, or nothing stands there now."""

    key: str
    before: Found | None
    after: Found | None


class Inventory:
    """The content of one registry. Takes what an adapter tells, and gives what is different since the last time."""

    def __init__(self, options: Options) -> None:
        self.found: dict[str, Found] = {}
        self._options = options
        self._values: dict[str, Value] = {}
        self._before: dict[str, Found | None] = {}  # key → what stood there, of keys that changed

    def replace(self, found: Mapping[str, Value]) -> None:
        """Hold exactly this."""
        for key in self._values.keys() - found.keys():
            self.delete(key)
        for key, value in found.items():
            self.put(key, value)

    def put(self, key: str, value: Value) -> None:
        """Take what stands at a key."""
        if key not in self._values or self._values[key] != value:
            self._values[key] = value
            options = self._options
            if isinstance(value, bytes):
                self._note(key, options.layout.read(options.prefix_of(key), key, value))
            else:
                self._note(key, value)

    def delete(self, key: str) -> None:
        """Forget a key."""
        if key in self._values:
            del self._values[key]
            self._note(key, None)

    def changes(self) -> list[Change]:
        """Give what is different since the last call."""
        before, self._before = self._before, {}
        changes = [Change(key, was, self.found.get(key)) for key, was in before.items()]
        return [change for change in changes if change.before != change.after]

    @property
    def values(self) -> Mapping[str, Value]:
        """What stands there as the adapter told it."""
        return self._values

    @property
    def entries(self) -> dict[str, Entry]:
        """The entries by key."""
        return {key: found for key, found in self.found.items() if isinstance(found, Entry)}

    @property
    def broken(self) -> dict[str, Broken]:
        """What cannot be understood, by key."""
        return {key: found for key, found in self.found.items() if isinstance(found, Broken)}

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        """What is said of services as a whole: labels by the name of the service."""
        said: dict[str, dict[str, str]] = {}
        for _, found in sorted(self.found.items()):
            if isinstance(found, Setting):
                said.setdefault(found.service, {}).update(found.labels)
        return said

    def _note(self, key: str, found: Found | None) -> None:
        self._before.setdefault(key, self.found.get(key))
        if found is None:
            self.found.pop(key, None)
        else:
            self.found[key] = found


def is_used(entry: Entry, options: Options) -> bool:
    """Whether the filters of a source let an entry through."""
    labels = {payload.label_key(label): value for label, value in entry.labels}
    return all(condition.holds(labels) for condition in options.labels) and set(options.tags) <= set(entry.tags)
