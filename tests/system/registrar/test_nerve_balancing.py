"""From Nerve's configuration to HAProxy: what its entries say of weight, labels and server options arrives there."""

from __future__ import annotations

import json
import signal
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.nerve_registrar import NerveRegistrar, nerve_service
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
FOLDER = "/nerve/services/web/services"


@pytest.fixture
def zookeeper(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def webs(own_network: None) -> Iterator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Web(f"web-{number}")) for number in range(5)]


def weights(balancer: Balancer) -> dict[int, tuple[int, bool]]:
    """Weight and whether it is a backup, by port, as HAProxy has them."""
    rows = [line.split(",") for line in balancer.runtime("show stat").splitlines() if line]
    names = rows[0]
    found = (dict(zip(names, row, strict=False)) for row in rows[1:])
    servers = (row for row in found if row.get("type") == "2" and row["addr"].startswith("127.0.0.1:"))
    return {int(row["addr"].rpartition(":")[2]): (int(row["weight"]), row["bck"] == "1") for row in servers}


@pytest.mark.parametrize(
    "series",
    [
        pytest.param("2.6", id="A3 weight, labels, haproxy_server_options: down to HAProxy 2.6"),
        pytest.param("3.4", id="A3 weight, labels, haproxy_server_options: down to HAProxy 3.4"),
    ],
)
def test_what_entries_say_arrives_at_haproxy(
    zookeeper: ZooKeeper, webs: list[Web], balance: Callable[..., Balancer], series: str
) -> None:
    """Beside an entry that a Nerve wrote, plainly and encoded; unsafe options are said and passed over."""
    heavy, spare, other, theirs, coded = webs
    labels = {"labels": {"az": "a"}}
    services: dict[str, Any] = {
        "heavy": nerve_service(zookeeper, heavy, weight=200, **labels),
        "spare": nerve_service(zookeeper, spare, haproxy_server_options="backup maxconn 5", **labels),
        "other": nerve_service(zookeeper, other, labels={"az": "b"}),
    }
    zookeeper.put(
        f"{FOLDER}/i-9_",
        f'{{"host":"127.0.0.1","port":{theirs.port},"name":"i-9","weight":50,"labels":{{"az":"a"}}}}',
        sequence=True,
        ephemeral=True,
    )
    payload = f'{{"host":"127.0.0.1","port":{coded.port},"name":"i-8","labels":{{"az":"a"}}}}'
    text = urlsafe_b64encode(payload.encode()).decode()
    name = f"base64_{len(text)}_{text}_"
    zookeeper.put(f"{FOLDER}/{name}", payload, sequence=True, ephemeral=True)
    source = {"hosts": zookeeper.hosts, "layout": "nerve", "prefix": "/nerve/services", "find": "named"}
    picked = {"source": "zookeeper", "path": FOLDER, "label": "az=a"}
    service = {"from": picked, "host": "a.test", "check": "/health", "check-interval": "200ms"}
    with NerveRegistrar(services) as registrar:
        b = balance(series=series, config={"sources": {"zookeeper": source}, "services": {"web": service}})
        b.until_up("web", 4)
        until(
            lambda: (
                weights(b)
                == {
                    heavy.port: (200, False),
                    spare.port: (100, True),
                    theirs.port: (50, False),
                    coded.port: (100, False),
                }
            )
        )
        assert b.serves("a.test", 3) == {"web-0", "web-3", "web-4"}
        problems = [problem["what"] for problem in b.status()["problems"]]
        assert problems == ['haproxy_server_options of its entries: "maxconn 5" is passed over']
        for web in (heavy, theirs, coded):
            web.get("/fail?on")
        until(lambda: b.serves("a.test", 1) == {"web-1"}, what="the backup serves when no other does")
        heavy.get("/fail?off")
        services["heavy"] |= {"weight": 20}
        registrar.say(services)
        registrar.send(signal.SIGHUP)
        until(lambda: weights(b)[heavy.port] == (20, False))
        assert json.loads(next(v for v in zookeeper.nodes(FOLDER).values() if b'"weight":20' in v))["labels"] == {
            "az": "a"
        }
