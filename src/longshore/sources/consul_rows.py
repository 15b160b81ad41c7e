"""Consul's lists, which come whole however little of them is new: a row that stays the same is read once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Rows(Generic[T]):
    """Reads answers that are lists of objects. `read` makes something of an object, None if it is of no use.

    Every object begins with the same key, so the text is cut there: such a cut cannot fall into a string, where its
    quotes would be escaped. Pieces that were seen in the answer before are not parsed again. What Consul's servers
    would spell in another way is parsed whole.
    """

    def __init__(self, read: Callable[[dict[str, Any]], T | None]) -> None:
        self._read = read
        self._known: dict[bytes, T | None] = {}

    def take(self, body: bytes) -> list[T]:
        """Read an answer. Raises ValueError if it is no list of objects."""
        try:
            found = self._pieces(body.strip())
        except ValueError:
            self._known = {}
            return [each for row in _objects(body) if (each := self._read(row)) is not None]
        self._known = found
        return [each for each in found.values() if each is not None]

    def _pieces(self, body: bytes) -> dict[bytes, T | None]:
        start = body[1 : body.index(b":") + 1]  # {"Node":
        if not (body.startswith(b"[{") and body.endswith(b"}]")):
            raise ValueError("is no list of objects in a row")
        pieces = body[1 + len(start) : -2].split(b"}," + start)
        known, read = self._known, self._read
        return {
            piece: known[piece] if piece in known else read(json.loads(b"%s%s}" % (start, piece))) for piece in pieces
        }


def _objects(body: bytes) -> list[dict[str, Any]]:
    found = json.loads(body)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError("is no list of objects")
    return found
