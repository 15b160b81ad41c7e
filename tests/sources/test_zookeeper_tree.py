"""The tree of the source `zookeeper` ends up knowing exactly what stands there, whatever happens while it reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.clients.zookeeper import ZooKeeper
from longshore.clients.zookeeper_faults import ZooKeeperRefusedError
from longshore.core.entries import Broken
from longshore.sources.zookeeper_tree import ENCODED, Batch, Tree, Value
from tests.sources.fake_zookeeper import Fake, entries


class Mirror:
    """What a sink would hold."""

    def __init__(self, fake: Fake, *roots: str) -> None:
        self.fake, self.tree = fake, Tree(cast(ZooKeeper, fake), roots)
        self.there = dict[str, Value]()

    async def read(self) -> None:
        self._take(await self.tree.read())

    async def follow(self) -> None:
        self._take(await self.tree.follow(self.fake.changes()))

    async def retry(self) -> None:
        self._take(await self.tree.retry())

    async def settle(self) -> None:
        """Follow until nothing is left to follow."""
        while self.fake.events or self.tree.is_doubtful:
            await self.follow()

    def _take(self, batch: Batch) -> None:
        for path in batch.gone:
            self.there.pop(path, None)
        self.there |= batch.found


BASE64 = f"{ENCODED}1_x_1"
DEEP = [f"/r/{one}/{two}" for one in "ab" for two in ("a", "b", BASE64)]
PATHS = ["/r", "/r/a", "/r/b", "/r/a/b/c", "/r/a/b/c/a", *DEEP]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 5))
def test_whatever_happens_while_it_reads_it_knows_in_the_end_what_stands_there(seed: int, rounds: int) -> None:
    chance = Random(seed)
    calm = False

    fake = Fake(lambda: happen())

    def happen() -> None:
        path = chance.choice(PATHS)
        if calm or chance.random() < 0.7:
            return
        if chance.random() < 0.45:
            fake.delete(path)
        else:
            fake.put(path, str(chance.random()).encode(), session=7 if ENCODED in path else chance.choice([0, 7]))

    async def run() -> None:
        nonlocal calm
        for _ in range(20):
            happen()
        mirror = Mirror(fake, "/r")
        await mirror.read()
        for _ in range(rounds):
            for _ in range(10):
                happen()
            await mirror.follow()
        calm = True
        await mirror.settle()
        assert entries(mirror.there) == fake.entries("/r")

    asyncio.run(run())


async def test_one_change_is_answered_by_reading_what_changed_and_nothing_else() -> None:
    fake = Fake()
    for service in range(50):
        for number in range(20):
            fake.put(f"/r/s{service}/e{number}", b"x", session=7)
    mirror = Mirror(fake, "/r")
    await mirror.read()
    assert len(fake.requests) == 1 + 1 + 50 * 2 + 1000  # the root, its children; each folder and its children; entries
    cases: list[tuple[Callable[[], None], list[str]]] = [
        (lambda: fake.put("/r/s7/new", b"y", session=7), ["children /r/s7", "get /r/s7/new"]),
        (lambda: fake.put("/r/s7/new", b"z"), ["get /r/s7/new"]),
        (lambda: fake.delete("/r/s7/new"), ["children /r/s7"]),
        (lambda: fake.put("/r/t/one", b"x", session=7), ["children /r", "get /r/t", "children /r/t", "get /r/t/one"]),
        (lambda: fake.put(f"/r/s7/{BASE64}", b"y", session=7), ["children /r/s7"]),
    ]
    for what, requests in cases:
        fake.requests.clear()
        what()
        await mirror.settle()
        assert fake.requests == requests
        assert entries(mirror.there) == fake.entries("/r")


async def test_an_entry_that_moves_is_there_in_every_round() -> None:
    """A registrar's new session removes the old node and makes a new one in a single transaction."""
    fake = Fake()
    fake.put("/r/web/one_0000000001", b"x", session=7)
    mirror = Mirror(fake, "/r")
    await mirror.read()
    fake.put("/r/web/one_0000000002", b"x", session=8)
    fake.delete("/r/web/one_0000000001")
    await mirror.follow()
    assert mirror.there == {"/r/web/one_0000000002": b"x"}


async def test_what_we_may_not_read_is_broken_until_we_may() -> None:
    fake = Fake()
    fake.put("/r/web/one", b"x")
    fake.put("/r/web/secret", b"x")
    fake.put("/r/vault/two", b"x")
    fake.closed |= {"/r/web/secret", "/r/vault"}
    mirror = Mirror(fake, "/r")
    await mirror.read()
    for _ in range(2):
        assert mirror.there == {
            "/r/web/one": b"x",
            "/r/web/secret": Broken("/r/web/secret", "ZooKeeper does not allow to read /r/web/secret", "hint"),
            "/r/vault": Broken("/r/vault", "ZooKeeper does not allow to read /r/vault", "hint"),
        }
        await mirror.retry()
    fake.closed.clear()
    await mirror.retry()
    assert entries(mirror.there) == fake.entries("/r")
    assert not mirror.tree.unreadable
    fake.closed |= {"/r/web"}  # a folder that we knew: its entries stay
    fake.put("/r/web/three", b"x")
    await mirror.settle()
    assert mirror.there["/r/web/one"] == b"x"
    assert isinstance(mirror.there["/r/web"], Broken)
    fake.closed.clear()
    await mirror.retry()
    assert entries(mirror.there) == fake.entries("/r")


async def test_a_prefix_that_may_not_be_read_is_a_fault_of_the_source() -> None:
    fake = Fake()
    fake.put("/r/web/one", b"x")
    fake.closed.add("/r")
    with pytest.raises(ZooKeeperRefusedError):
        await Mirror(fake, "/r").read()


@pytest.mark.parametrize("roots", [("/r/a", "/r/a/b", "/r/late"), ("/r/a/", "/r/late/"), ("/",)])
async def test_several_paths_are_read_once_each_wherever_they_are(roots: tuple[str, ...]) -> None:
    fake = Fake()
    fake.put("/r/a/b/c", b"x")
    mirror = Mirror(fake, *roots)
    await mirror.read()
    assert fake.requests.count("get /r/a/b/c") == 1
    fake.put("/r/late/x", b"y")
    await mirror.settle()
    assert entries(mirror.there) == {"/r/a/b/c": b"x", "/r/late/x": b"y"}


async def test_folders_without_end_are_read_to_some_depth() -> None:
    fake = Fake()
    fake.put("/r" + "/deep" * 50, b"x")
    mirror = Mirror(fake, "/r")
    await mirror.read()
    assert len(fake.requests) < 20
