"""Walk-through 3: a stack on an overlay network, found by DNS alone, without any socket of the engine.

Three replicas of a small web server as a `dnsrr` service; the balancer is the only one with a published port, and shows
HAProxy's statistics on `/my-stats`. In 2020 this was a `server-template` with three slots, written by hand. Now there
are as many as are needed, kept by longshore or filled by HAProxy itself. The configuration is that of the tutorial
(docs/tutorials/swarm.md), and so is the stack.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import pages
from tests.lab.contained import BoxedBalancer
from tests.lab.load import Load
from tests.lab.stack import Stack
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

pytestmark = pytest.mark.system
BLOCKS = pages()["docs/tutorials/swarm.md"].blocks("yaml")
TUTORIAL = [YAML(typ="safe").load(block) for block in BLOCKS]
CONFIG = next(block for block in TUTORIAL if {"services", "sources"} <= block.keys())
OWN_RESOLVERS = next(block for block in TUTORIAL if block.keys() == {"sources"})
PORT = 48686  # of the nodes; the stack publishes it


@pytest.mark.usefixtures("images")
def test_the_stack_of_the_tutorial(swarm: Swarm, tmp_path: Path) -> None:
    (tmp_path / "longshore.yaml").write_text(BLOCKS[0])
    (tmp_path / "stack.yaml").write_text(BLOCKS[1])
    with Stack(swarm, tmp_path / "stack.yaml", "demo") as stack:
        balancer = stack.balancer(swarm.nodes[1])
        balancer.serves("x.test", 3, port=PORT)
        with Load(port=PORT, address=balancer.address, rate=40) as traffic:
            for copies in (5, 1):
                stack.scale("web", copies)
                balancer.serves("x.test", copies, port=PORT)
                balancer.until_up("web", copies)
            traffic.more(20)
        assert traffic.report.lost == 0, traffic.report
        stack.scale("web", 0)
        balancer.until_up("web", 0)
        assert balancer.request(port=PORT).status == 503
        assert "Statistics Report for HAProxy" in balancer.request(port=PORT, path="/my-stats").text
        stack.scale("web", 3)
        balancer.serves("x.test", 3, port=PORT)
        assert balancer.status()["haproxy"]["reloads"] == 0


def config() -> dict[str, Any]:
    """Return the tutorial's configuration with HAProxy's own resolvers; the lab has ports of its own."""
    return {**CONFIG, "frontends": {}, **OWN_RESOLVERS}


@pytest.mark.parametrize("series", ["2.6", "3.4"])
def test_haproxys_own_resolvers_three_replicas_five_one_none_three(
    swarm: Swarm, balance_swarm: Callable[..., BoxedBalancer], series: str
) -> None:
    b = balance_swarm(config=config(), series=series)
    assert b.request().status == 503, "starting with no replica at all works"
    swarm.create("web", "--replicas", "3", env={"SAY": "hostname:"})
    b.serves("x.test", 3)
    assert b.request().text.startswith("hostname: ")
    b.until_up("web", 3)
    with Load(port=b.port, address=b.address, rate=40) as load:
        for count in (5, 1):
            swarm.scale("web", count)
            b.serves("x.test", count)
            b.until_up("web", count)
            load.more(20)
    assert load.report.lost == 0, load.report
    swarm.scale("web", 0)
    b.until_up("web", 0)
    assert b.request().status == 503
    page = b.request(path="/my-stats").text
    assert "Statistics Report for HAProxy" in page
    swarm.scale("web", 3)
    b.serves("x.test", 3)
    until(lambda: "UP" in b.request(path="/my-stats").text)
    assert b.reloads == 1, "five were more than the three slots of the beginning"
