"""Several places of one registry are told as one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NoReturn

import pytest

from longshore.clients.registry_faults import RegistryError
from longshore.core.registered import Value
from longshore.sources.registered import Sink
from longshore.sources.several import Several


class Place:
    """An adapter that does what the test tells it."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.started = asyncio.Event()
        self.failure: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

    async def list_then_stream(self, sink: Sink) -> NoReturn:
        self.sink = sink
        self.started.set()
        await self.failure
        raise AssertionError


class Heard:
    """Takes down what a sink is told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def replace(self, found: Mapping[str, Value]) -> None:
        self.calls.append(dict(found))

    def put(self, key: str, value: Value) -> None:
        self.calls.append((key, value))

    def delete(self, key: str) -> None:
        self.calls.append(key)

    def published(self) -> None:
        self.calls.append("published")


async def started(*places: Place) -> tuple[Heard, asyncio.Task[NoReturn], list[Sink]]:
    heard = Heard()
    task = asyncio.create_task(Several(places).list_then_stream(heard))
    for place in places:
        await place.started.wait()
    return heard, task, [place.sink for place in places if place.sink]


async def ended(task: asyncio.Task[NoReturn]) -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_nothing_is_told_before_every_place_was_listed() -> None:
    heard, task, (one, two) = await started(Place(), Place())
    one.replace({"a": b"1"})
    one.published()
    one.put("b", b"2")
    one.delete("a")
    one.published()
    assert heard.calls == []
    two.replace({"c": b"3"})
    two.published()
    assert heard.calls == [{"b": b"2", "c": b"3"}, "published"]
    await ended(task)


async def test_a_place_that_is_listed_again_takes_nothing_from_the_others() -> None:
    heard, task, (one, two) = await started(Place(), Place())
    one.replace({"a": b"1", "b": b"2"})
    two.replace({"c": b"3"})
    two.published()
    heard.calls.clear()
    one.replace({"b": b"5"})
    one.published()
    two.put("d", b"4")
    two.delete("c")
    two.published()
    assert heard.calls == ["a", ("b", b"5"), "published", ("d", b"4"), "c", "published"]
    await ended(task)


async def test_what_breaks_one_breaks_all_and_says_why() -> None:
    places = (Place(), Place())
    _, task, _ = await started(*places)
    places[1].failure.set_exception(RegistryError("no leader"))
    with pytest.raises(RegistryError, match="no leader"):
        await task
