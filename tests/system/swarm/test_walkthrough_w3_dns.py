"""Walk-through 3: a stack on an overlay network, found by DNS alone, without any socket of the engine.

Three replicas of a small web server as a `dnsrr` service; the balancer is the only one with a published port, and shows
HAProxy's statistics on `/my-stats`. In 2020 this was a `server-template` with three slots, written by hand. Now there
are as many as are needed, kept by longshore or filled by HAProxy itself. The configuration is that of the tutorial
(docs/tutorials/swarm.md), whose stack is deployed in test_stacks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import pages
from tests.lab.contained import BoxedBalancer
from tests.lab.load import Load
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

pytestmark = pytest.mark.system
TUTORIAL = [YAML(typ="safe").load(block) for block in pages()["docs/tutorials/swarm.md"].blocks("yaml")]
CONFIG = next(block for block in TUTORIAL if {"services", "sources"} <= block.keys())
OWN_RESOLVERS = next(block for block in TUTORIAL if block.keys() == {"sources"})


def config(resolve: str) -> dict[str, Any]:
    """Return the tutorial's configuration; the lab has ports of its own."""
    sources = OWN_RESOLVERS if resolve == "haproxy" else CONFIG
    return {**CONFIG, "frontends": {}, "sources": sources["sources"]}


@pytest.mark.parametrize(("resolve", "series"), [("longshore", "3.4"), ("haproxy", "2.6"), ("haproxy", "3.4")])
def test_three_replicas_five_one_none_three(
    swarm: Swarm, balance_swarm: Callable[..., BoxedBalancer], resolve: str, series: str
) -> None:
    b = balance_swarm(config=config(resolve), series=series)
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
    assert b.reloads == (1 if resolve == "haproxy" else 0), "five were more than the three slots of the beginning"
