"""The lab's balancer is a real longshore with a real HAProxy, and both end with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.remains import family, is_gone

pytestmark = pytest.mark.system


@oldest_and_newest
def test_a_balancer_serves_what_the_engine_runs(engine: Engine, balance: Callable[..., Balancer], series: str) -> None:
    balancer = balance(engine=engine, series=series)
    web = engine.run(labels={"longshore.host": "a.test", "longshore.service": "a"})
    assert balancer.serves("a.test", 1) == {web.short}
    assert balancer.until_up("a", 1)["endpoints"][0]["address"] == web.address
    assert balancer.request("b.test").status == 404
    assert balancer.command("status", "--json").returncode == 0
    assert balancer.runtime("show info").startswith("Name: HAProxy")
    assert balancer.reloads >= 0


def test_haproxy_survives_longshore_and_ends_with_the_balancer(
    engine: Engine, balance: Callable[..., Balancer]
) -> None:
    balancer = balance(engine=engine)
    engine.run(labels={"longshore.host": "a.test"})
    balancer.serves("a.test", 1)
    worker = balancer.worker
    balancer.kill9()
    assert balancer.request("a.test").status == 200
    balancer.start()
    assert balancer.worker == worker
    balancer.close()
    assert is_gone(worker)
    assert not family(balancer.folder.name, ("haproxy",))
