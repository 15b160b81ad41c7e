"""Docker's own nameserver, 127.0.0.11: several containers with one alias on a network, the balancer in another.

The balancer needs no engine's socket: what it knows it has from DNS alone, asked where `/etc/resolv.conf` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.contained import BoxedBalancer
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load

pytestmark = pytest.mark.system
NETWORK = "front"
both_ways = pytest.mark.parametrize("resolve", ["longshore", "haproxy"])


@pytest.fixture
def balance_inside(engine: Engine) -> Iterator[Callable[..., BoxedBalancer]]:
    """A factory of balancers in containers on the network "front"."""
    engine.network(NETWORK)
    started = list[BoxedBalancer]()

    def start(resolve: str, **options: Any) -> BoxedBalancer:
        service = {"from": {"source": "dns", "name": "web", "port": 8000}, "host": "*", "check-interval": "1s"}
        config = {
            "sources": {"dns": {"resolve": resolve, "refresh": "1s", "hold": "2s", "slots": 3}},
            "services": {"web": service},
        }
        balancer = BoxedBalancer(engine, "127.0.0.1", networks=[NETWORK], config=config, **options)
        started.append(balancer)
        return stack.enter_context(balancer)

    with ExitStack() as stack:
        yield start
        for balancer in started:  # pytest shows it when the test failed
            print(f"--- log of longshore\n{balancer.log_text()}")  # noqa: T201


def copy(engine: Engine) -> Container:
    return engine.run(args=("--network", NETWORK, "--network-alias", "web"))


@both_ways
@oldest_and_newest
def test_containers_with_one_alias_are_all_found(
    engine: Engine, balance_inside: Callable[..., BoxedBalancer], series: str, resolve: str
) -> None:
    """Also none at all, and more than there were slots for.

    DNS knows of an end when it is over; a GET that finds nobody there is sent to another copy.
    """
    b = balance_inside(resolve, series=series)
    assert b.request().status == 503
    copies = [copy(engine) for _ in range(5)]
    assert b.serves("localhost", 5) == {each.short for each in copies}
    with Load(port=b.port, host="localhost", rate=50) as load:
        load.more(25)
        for each in copies[:4]:
            each.stop()
        b.until_up("web", 1)
        load.more(25)
    assert load.report.lost == 0, load.report
    assert b.serves("localhost", 1) == {copies[4].short}
    assert b.reloads == (1 if resolve == "haproxy" else 0)
    for each in copies:
        each.rm()
    b.until_up("web", 0)
    assert b.request().status == 503
    again = copy(engine)
    assert b.serves("localhost", 1) == {again.short}
