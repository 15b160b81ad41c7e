"""Requests are counted exactly while a service is scaled and rolled: none is lost, none is sent twice, no reload."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.system.traffic import Copies, Traffic

pytestmark = pytest.mark.system

LABELS = {"longshore.service": "a", "longshore.host": "a.test"}


@oldest_and_newest
def test_one_copy_becomes_six_and_one_again(engine: Engine, balance: Callable[..., Balancer], series: str) -> None:
    b = balance(engine=engine, series=series)
    copies = Copies(engine, LABELS)
    first = copies.start()
    b.serves("a.test", 1)
    with Traffic(b) as traffic:
        more = [copies.start() for _ in range(5)]
        b.until_up("a", 6)
        traffic.more(30)
        with ThreadPoolExecutor(2) as pool:  # two at a time
            list(pool.map(Container.stop, more))
        b.until_up("a", 1)
        traffic.more(30)
    assert traffic.lost == {}
    assert traffic.by == {each.short for each in (first, *more)}
    copies.check(traffic)
    assert b.reloads == 0


@oldest_and_newest
def test_every_copy_is_replaced_one_by_one(engine: Engine, balance: Callable[..., Balancer], series: str) -> None:
    b = balance(engine=engine, series=series)
    copies = Copies(engine, LABELS)
    old = [copies.start() for _ in range(3)]
    b.serves("a.test", 3)
    with Traffic(b) as traffic:
        new = []
        for each in old:
            new.append(copies.start())
            b.until_up("a", 4)
            each.stop()
            copies.rm(each)
            b.until_up("a", 3)
        traffic.more(30)
        assert b.serves("a.test", 3) == {each.short for each in new}
    assert traffic.lost == {}
    copies.check(traffic)
    assert b.reloads == 0
