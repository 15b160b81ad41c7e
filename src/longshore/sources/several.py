"""Several adapters as one: places of one registry that are not beneath a common prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from longshore.sources.registered import Adapter, Sink, Value
from longshore.sources.together import together


class Several:
    """Tells a sink what all of its adapters find. No key is in the places of two of them."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._adapters = tuple(adapters)

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        """List everywhere, then follow; what breaks one breaks all."""
        union = _Union(sink, len(self._adapters))
        await together(*(adapter.list_then_stream(_Part(union)) for adapter in self._adapters))


class _Union:
    """What is known until every place has been listed."""

    def __init__(self, sink: Sink, parts: int) -> None:
        self.sink = sink
        self.missing = parts
        self.found: dict[str, Value] = {}

    def listed(self, found: Mapping[str, Value]) -> None:
        self.found.update(found)
        self.missing -= 1
        if not self.missing:
            self.sink.replace(self.found)


class _Part:
    """The sink of one adapter."""

    def __init__(self, union: _Union) -> None:
        self._union = union
        self._keys: set[str] | None = None  # None until it was listed

    def replace(self, found: Mapping[str, Value]) -> None:
        if self._keys is None:
            self._union.listed(found)
        else:
            for key in self._keys - found.keys():
                self.delete(key)
            for key, value in found.items():
                self.put(key, value)
        self._keys = set(found)

    def put(self, key: str, value: Value) -> None:
        if self._keys is not None:
            self._keys.add(key)
        if self._union.missing:
            self._union.found[key] = value
        else:
            self._union.sink.put(key, value)

    def delete(self, key: str) -> None:
        if self._keys is not None:
            self._keys.discard(key)
        if self._union.missing:
            self._union.found.pop(key, None)
        else:
            self._union.sink.delete(key)

    def published(self) -> None:
        if not self._union.missing:
            self._union.sink.published()
