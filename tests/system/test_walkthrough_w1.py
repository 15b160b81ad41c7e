"""Walk-through 1: Compose and a HAProxy that follows the engine.

Services publish no host ports, only the balancer has one. `up --scale` is all that people do; the balancer hears of it
from the engine, reloads nothing and loses nothing. The restart policy of the file does the rest.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.balancer import Balancer
from tests.lab.compose import Compose
from tests.lab.engine import Engine
from tests.lab.load import Load
from tests.lab.waiting import until

pytestmark = pytest.mark.system

FILE: dict[str, dict[str, object]] = {
    "web": {"expose": ["8000"], "restart": "always", "labels": {"longshore.host": "shop.test"}},
    "api": {"expose": ["8000"], "labels": {"longshore.host": "shop.test", "longshore.path": "/api"}},
    "db": {"expose": ["8000"]},
}


def test_scaling_with_compose_loses_nothing(engine: Engine, balance: Callable[..., Balancer], tmp_path: Path) -> None:
    balancer = balance(engine=engine)
    assert balancer.request("shop.test").status == 404
    shop = Compose(engine, tmp_path, "shop", FILE)
    shop.up(web=3)
    web = {each.short: each for each in shop.containers("web")}
    assert balancer.serves("shop.test", 3) == set(web)
    assert balancer.serves("shop.test", 1, "/api/x") == {each.short for each in shop.containers("api")}
    assert {service["name"] for service in balancer.status()["services"]} == {"shop-web", "shop-api"}
    assert [each for each in engine.containers() if each.inspect()["HostConfig"]["PortBindings"]] == []
    names = {end["name"]: end["reason"] for end in balancer.service("shop-web")["endpoints"]}
    assert set(names) == {"shop-web-1", "shop-web-2", "shop-web-3"}
    assert "network shop_default" in names["shop-web-1"]

    with (
        Load(port=balancer.port, host="shop.test", rate=40) as kept,
        Load(port=balancer.port, host="shop.test", rate=20, keep=False, method="POST") as new,
    ):
        kept.more(10)
        for count in (5, 1, 3):
            shop.up(web=count)
            assert balancer.serves("shop.test", count) == {each.short for each in shop.containers("web")}
            kept.more(10)
            new.more(5)
    assert kept.report.lost == 0, kept.report
    assert new.report.lost == 0, new.report

    crashed = shop.containers("web")[0]
    before = crashed.pid
    os.kill(before, signal.SIGKILL)
    until(lambda: crashed.pid not in (0, before), what="the restart policy starts it again")
    assert balancer.serves("shop.test", 3) == {each.short for each in shop.containers("web")}

    shop("down", "--timeout", "1")
    balancer.until_up("shop-web", 0)
    assert balancer.request("shop.test").status == 503
    assert balancer.request("shop.test", "/api").status == 503
    assert balancer.status()["problems"] == []
    assert balancer.reloads == 0
