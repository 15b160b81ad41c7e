"""Requests that meet nobody for a moment: a service that is re-created, a server that closes kept connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.web import Web
from tests.system.traffic import Copies, Traffic

pytestmark = pytest.mark.system

LABELS = {"longshore.service": "a", "longshore.host": "a.test"}


@oldest_and_newest
def test_hold_bridges_the_gap_when_the_only_copy_is_created_anew(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    copies = Copies(engine, LABELS | {"longshore.hold": "60s"})
    one = copies.start()
    b = balance(engine=engine, series=series)
    b.serves("a.test", 1)
    with Traffic(b, timeout=90) as traffic:
        for _ in range(2):
            one.stop()
            copies.rm(one)
            one = copies.start(START_DELAY=300)
            assert b.serves("a.test", 1) == {one.short}
        traffic.more(15)
    assert traffic.lost == {}
    copies.check(traffic)
    assert b.reloads == 0


@oldest_and_newest
def test_a_reload_holds_nobody_who_could_be_served(
    own_network: None, balance: Callable[..., Balancer], series: str
) -> None:
    """On a kept connection the next request comes to the old process, where 2.6 counts no server as usable any more."""
    with Web("one") as web:
        service = {"endpoints": [f"127.0.0.1:{web.port}"], "host": "a.test", "hold": "10s"}
        b = balance(series=series, config={"services": {"web": service}})
        b.serves("a.test", 1)
        with Traffic(b, rate=20) as traffic:
            for _ in range(2):
                assert b.command("reload").returncode == 0
                traffic.more(10)
    assert traffic.lost == {}


@oldest_and_newest
def test_servers_that_close_kept_connections_cost_no_request(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """The keep-alive race: the server closes just when the next request is sent on the connection."""
    b = balance(engine=engine, series=series)
    copies = Copies(engine, LABELS)
    for _ in range(2):
        copies.start(KEEPALIVE=25)
    b.serves("a.test", 2)
    with Traffic(b, rate=50) as traffic:
        traffic.more(150)
    assert traffic.lost == {}
    copies.check(traffic)
    assert b.reloads == 0
