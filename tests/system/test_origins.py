"""A service of several origins, with real registries, a real HAProxy, and every request counted."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.dns import Dns
from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.haproxy import oldest_and_newest
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper
from tests.system.traffic import Copies, Traffic

pytestmark = pytest.mark.system
PREFIX = "/longshore/services"
HOST = "a.test"
NAMES = ("zk-1", "zk-2", "etcd-1", "etcd-2", "fixed")
QUICK = {"host": HOST, "check-interval": "200ms"}


@pytest.fixture(scope="module")
def started(own_network: None) -> Iterator[tuple[ZooKeeper, Etcd]]:
    with ZooKeeper() as zookeeper, Etcd("3.5") as etcd:
        yield zookeeper, etcd


class Place:
    """Both registries, and a web service for each of `NAMES` that may stand in the one its name says."""

    def __init__(self, zookeeper: ZooKeeper, etcd: Etcd, webs: dict[str, Web]) -> None:
        self.zookeeper, self.etcd, self.webs = zookeeper, etcd, webs

    def put(self, *names: str, to: str = "") -> None:
        for name in names:
            value = json.dumps({"host": "127.0.0.1", "port": self.webs[name].port, "name": name})
            registry = self.zookeeper if (to or name).startswith("zk") else self.etcd
            registry.put(f"{PREFIX}/web/{name}", value)

    def delete(self, *names: str) -> None:
        for name in names:
            registry = self.zookeeper if name.startswith("zk") else self.etcd
            registry.delete(f"{PREFIX}/web/{name}")

    @property
    def fixed(self) -> str:
        return f"127.0.0.1:{self.webs['fixed'].port}"

    def config(self, *sources: str, **more: Any) -> dict[str, Any]:
        """The service `web` of an item for each of these sources."""
        items = [{"source": source, "service": "web"} for source in sources]
        web = QUICK | {"from": items if len(items) > 1 else items[0]}
        web |= {key.replace("_", "-"): value for key, value in more.items()}
        known = {
            "zk": {"type": "zookeeper", "hosts": self.zookeeper.hosts},
            "etcd": {"endpoints": self.etcd.endpoints},
        }
        return {"sources": {name: known[name] for name in dict.fromkeys(sources)}, "services": {"web": web}}


@pytest.fixture
def place(started: tuple[ZooKeeper, Etcd]) -> Iterator[Place]:
    zookeeper, etcd = started
    etcd.clear()
    zookeeper.delete("/longshore")
    with ExitStack() as stack:
        yield Place(zookeeper, etcd, {name: stack.enter_context(Web(name)) for name in NAMES})


def until_by(b: Balancer, *names: str) -> None:
    """Wait until exactly these answer; nobody may be refused meanwhile."""

    def met() -> bool:
        answers = [b.request(HOST) for _ in range(6)]
        assert {answer.status for answer in answers} == {200}
        return {answer.who for answer in answers} == set(names)

    until(met, what=f"{', '.join(names)} answer")


def states(b: Balancer) -> dict[str, str]:
    return {e["name"]: e["state"] for e in b.service("web")["endpoints"]}


def reason(b: Balancer, name: str) -> str:
    return str(next(e["reason"] for e in b.service("web")["endpoints"] if e["name"] == name))


@oldest_and_newest
def test_a_union_of_two_registries(place: Place, balance: Callable[..., Balancer], series: str) -> None:
    """Who moves from one to the other, or stands in both, is one endpoint all the time."""
    place.put("zk-1", "etcd-1")
    b = balance(series=series, config=place.config("zk", "etcd"))
    b.until_up("web", 2)
    assert b.service("web")["sources"] == ["zk", "etcd"]
    with Traffic(b, host=HOST) as traffic:
        place.put("zk-2", "etcd-2")
        until_by(b, "zk-1", "zk-2", "etcd-1", "etcd-2")
        place.put("etcd-1", to="zk")
        b.until(lambda status: [s["endpoints"] for s in status["sources"]] == [3, 2])
        b.until_up("web", 4)
        place.delete("etcd-1", "etcd-2")
        until_by(b, "zk-1", "zk-2", "etcd-1")
        traffic.more(20)
    assert traffic.lost == {}
    assert b.reloads == 0
    assert not [p for p in b.status()["problems"] if p["service"] == "web"]


@oldest_and_newest
def test_the_second_item_takes_over_from_the_first_and_gives_back(
    place: Place, balance: Callable[..., Balancer], series: str
) -> None:
    place.put("zk-1", "etcd-1", "etcd-2")
    b = balance(series=series, config=place.config("zk", "etcd", from_first=True))
    until_by(b, "zk-1")
    b.until(lambda _: states(b) == {"zk-1": "up", "etcd-1": "standby", "etcd-2": "standby"})
    assert reason(b, "etcd-1").startswith("from[1] waits: from[0] has endpoints")
    with Traffic(b, host=HOST) as traffic:
        for _ in range(3):
            place.delete("zk-1")
            until_by(b, "etcd-1", "etcd-2")
            traffic.more(10)
            place.put("zk-1")
            until_by(b, "zk-1")
            b.until(lambda _: states(b) == {"zk-1": "up", "etcd-1": "standby", "etcd-2": "standby"})
    assert traffic.lost == {}
    assert b.reloads == 0


@oldest_and_newest
def test_the_fallback_takes_over_and_gives_back(place: Place, balance: Callable[..., Balancer], series: str) -> None:
    place.put("zk-1")
    fallback = [{"address": "127.0.0.1", "port": place.webs["fixed"].port, "name": "old-vm"}]
    b = balance(series=series, config=place.config("zk", fallback=fallback))
    until_by(b, "zk-1")
    b.until(lambda _: states(b) == {"zk-1": "up", "old-vm": "standby"})
    with Traffic(b, host=HOST) as traffic:
        place.delete("zk-1")
        until_by(b, "fixed")
        assert reason(b, "old-vm").startswith("fallback serves: nothing is found before it")
        assert "fallback serves" in b.command("explain", f"http://{HOST}/").stdout
        traffic.more(10)
        late = place.webs["zk-2"]
        late.__exit__()
        place.put("zk-2")
        b.until(lambda _: states(b) == {"zk-2": "checking", "old-vm": "up"})
        until_by(b, "fixed")
        late.__enter__()
        until_by(b, "zk-2")
        traffic.more(10)
    assert traffic.lost == {}
    assert b.reloads == 0


@oldest_and_newest
def test_those_found_last_go_on_over_an_emptied_registry_and_restarts(
    place: Place, balance: Callable[..., Balancer], series: str
) -> None:
    place.put("etcd-1", "etcd-2")
    config = place.config("etcd", keep_last=True)
    b = balance(series=series, config=config)
    b.until_up("web", 2)
    with Traffic(b, host=HOST) as traffic:
        place.etcd.clear()
        b.until(lambda _: reason(b, "etcd-1").startswith("kept: none is found any more"))
        b.until_up("web", 2)
        b.until(lambda _: '"last":{"web"' in (b.state / "state.json").read_text())
        traffic.more(10)
        b.kill9()
        b.start()
        until_by(b, "etcd-1", "etcd-2")
        b.configure({"services": {"web": config["services"]["web"] | {"host": [HOST, "b.test"]}}})
        b.send(signal.SIGHUP)
        b.serves("b.test", 2)
        until_by(b, "etcd-1", "etcd-2")
        place.webs["etcd-1"].__exit__()
        b.until(lambda _: states(b)["etcd-1"] == "down")
        traffic.more(10)
    assert traffic.failures("GET") == []
    b.terminate()
    b.start()
    until_by(b, "etcd-2")
    place.put("zk-1", to="etcd")
    until_by(b, "zk-1")
    assert states(b) == {"zk-1": "up"}


@oldest_and_newest
def test_containers_that_stop_make_room_for_the_next_in_turn(
    place: Place, engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """The only container of an item is told to stop: who comes next takes over then, not when it is gone."""
    items = [{"label": f"tier={tier}", "port": 8000} for tier in ("blue", "green")]
    web = QUICK | {"from": items, "from-first": True, "fallback": [place.fixed]}
    blue, green = (Copies(engine, {"tier": tier}) for tier in ("blue", "green"))
    one, two = blue.start(), green.start()
    b = balance(engine=engine, series=series, config={"services": {"web": web}})
    until_by(b, one.name)
    b.until(lambda _: sorted(states(b).values()) == ["standby", "standby", "up"])
    with Traffic(b, host=HOST) as traffic:
        one.stop(3)
        until_by(b, two.name)
        two.stop(3)
        until_by(b, "fixed")
        traffic.more(10)
        three = green.start()
        until_by(b, three.name)
        four = blue.start()
        until_by(b, four.name)
        traffic.more(10)
    assert traffic.lost == {}
    assert b.reloads == 0


def test_host_names_of_entries_are_asked_of_a_nameserver_of_their_own(
    place: Place, balance: Callable[..., Balancer]
) -> None:
    """As Synapse's zookeeper_dns does; the system's resolver does not know these names."""
    with Dns() as dns:
        value = json.dumps({"host": "vm1.test", "port": place.webs["fixed"].port, "name": "vm1"})
        place.zookeeper.put(f"{PREFIX}/web/vm1", value)
        config = place.config("zk")
        config["services"]["web"]["from"]["nameserver"] = dns.where
        b = balance(config=config)
        b.until(lambda status: any("it does not exist (NXDOMAIN)" in p["what"] for p in status["problems"]))
        dns.put("vm1.test", "A", "127.0.0.1")
        until(lambda: b.request(HOST).who == "fixed", what="the name is looked up again")
        assert reason(b, "vm1") == "vm1.test resolved to 127.0.0.1, registered in zk"
        b.until(lambda status: not status["problems"])
