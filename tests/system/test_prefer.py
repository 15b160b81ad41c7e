"""What is near comes first, one alone leads, zones weigh: on a real HAProxy, with every request counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.haproxy import oldest_and_newest
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.system.traffic import Copies, Traffic

pytestmark = pytest.mark.system
HOST = "a.test"
QUICK = {"longshore.host": HOST, "longshore.check-interval": "200ms"}
NAMES = ("near-1", "near-2", "far-1", "far-2")


@pytest.fixture(scope="module")
def etcd(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def webs(etcd: Etcd) -> Iterator[dict[str, Web]]:
    etcd.clear()
    with ExitStack() as stack:
        yield {name: stack.enter_context(Web(name)) for name in NAMES}


def register(etcd: Etcd, web: Web, labels: dict[str, str]) -> None:
    """Write an entry as a registrar in the zone would that the name begins with."""
    zone = web.name.partition("-")[0]
    value = {"host": "127.0.0.1", "port": web.port, "name": web.name, "zone": zone, "labels": QUICK | labels}
    etcd.put(f"/longshore/services/web/{web.name}", json.dumps(value))


def balancer(balance: Callable[..., Balancer], etcd: Etcd, series: str) -> Balancer:
    return balance(series=series, config={"sources": {"etcd": {"endpoints": etcd.endpoints}}, "here": {"zone": "near"}})


def answering(b: Balancer, count: int = 8) -> set[str]:
    answers = [b.request(HOST) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    return {answer.who for answer in answers}


def until_by(b: Balancer, *names: str) -> None:
    until(lambda: answering(b) == set(names), what=f"{', '.join(names)} answer")


def roles(b: Balancer) -> dict[str, tuple[str, str]]:
    return {e["name"]: (e["state"], e["role"]) for e in b.service("web")["endpoints"]}


@oldest_and_newest
def test_the_own_zone_dies_and_comes_back_without_a_request_lost(
    etcd: Etcd, webs: dict[str, Web], balance: Callable[..., Balancer], series: str
) -> None:
    for web in webs.values():
        register(etcd, web, {"longshore.prefer": "zone"})
    b = balancer(balance, etcd, series)
    b.until_up("web", 4)
    until_by(b, "near-1", "near-2")
    assert roles(b) == {name: ("up", "preferred" if name.startswith("near") else "backup") for name in NAMES}
    assert "a.test" in b.command("explain", f"http://{HOST}/").stdout
    assert "backup: not of zone near" in b.command("explain", f"http://{HOST}/").stdout
    with Traffic(b) as traffic:
        for name in ("near-1", "near-2"):  # withdrawn from the registry, then ended
            etcd.delete(f"/longshore/services/web/{name}")
        b.until_up("web", 2)
        traffic.more(20)
        until_by(b, "far-1", "far-2")
        for name in ("near-1", "near-2"):
            register(etcd, webs[name], {"longshore.prefer": "zone"})
        b.until_up("web", 4)
        until_by(b, "near-1", "near-2")
        traffic.more(20)
    assert traffic.lost == {}
    assert b.reloads == 0


@oldest_and_newest
def test_the_own_zone_crashes_and_nobody_waits_for_a_check(
    etcd: Etcd, webs: dict[str, Web], balance: Callable[..., Balancer], series: str
) -> None:
    """Killed together, without a word in the registry: repeatable requests all find the others; sticky ones too."""
    for web in webs.values():
        register(etcd, web, {"longshore.prefer": "zone", "longshore.sticky": "SRV"})
    b = balancer(balance, etcd, series)
    b.until_up("web", 4)
    cookie = b.request(HOST).headers["set-cookie"].partition(";")[0]
    with Traffic(b) as traffic:
        for name in ("near-1", "near-2"):
            webs[name].__exit__()
        traffic.more(30)
        until_by(b, "far-1", "far-2")
        moved = b.request(HOST, headers={"Cookie": cookie})
        assert moved.status == 200
        assert moved.who in ("far-1", "far-2")
        there = moved.headers["set-cookie"].partition(";")[0]
        for name in ("near-1", "near-2"):
            webs[name].__enter__()
        until_by(b, "near-1", "near-2")
        assert b.request(HOST, headers={"Cookie": there}).who == moved.who, "who is bound stays"
        traffic.more(30)
    assert traffic.failures("GET") == []
    assert b.reloads == 0


@oldest_and_newest
def test_an_endpoint_that_calls_itself_a_backup_is_the_last_resort(
    etcd: Etcd, webs: dict[str, Web], balance: Callable[..., Balancer], series: str
) -> None:
    for web in webs.values():
        last = {"longshore.backup": "true"} if web.name == "far-2" else {}
        register(etcd, web, {"longshore.prefer": "zone", "longshore.hold": "20s", **last})
    b = balancer(balance, etcd, series)
    b.until(lambda _: roles(b).get("far-2") == ("standby", "standby"), "the backup stands by")
    until_by(b, "near-1", "near-2")
    for name in ("near-1", "near-2"):
        webs[name].__exit__()
    until_by(b, "far-1")
    webs["far-1"].__exit__()
    until_by(b, "far-2")
    webs["far-1"].__enter__()
    until_by(b, "far-1")
    assert b.reloads == 0


@oldest_and_newest
def test_zones_get_their_share(etcd: Etcd, webs: dict[str, Web], balance: Callable[..., Balancer], series: str) -> None:
    """And a zone of weight 0 serves when no other does."""
    for web in webs.values():
        register(etcd, web, {"longshore.zone-weights": "near=100, far=25"})
    b = balancer(balance, etcd, series)
    b.until_up("web", 4)
    until(lambda: answering(b, 20) == set(NAMES), what="all answer")
    counted = Counter(b.request(HOST).who for _ in range(500))
    expected = {"near-1": 200, "near-2": 200, "far-1": 50, "far-2": 50}
    assert all(abs(counted[name] - count) <= 10 for name, count in expected.items()), counted
    for web in webs.values():
        register(etcd, web, {"longshore.zone-weights": "far=0"})
    until_by(b, "near-1", "near-2")
    for name in ("near-1", "near-2"):
        etcd.delete(f"/longshore/services/web/{name}")
    until_by(b, "far-1", "far-2")


@oldest_and_newest
def test_a_leader_that_stops_is_followed_at_once(engine: Engine, balance: Callable[..., Balancer], series: str) -> None:
    """Stopped, killed, paused, taken out by an operator: the next one serves, alone, and no request is lost."""
    copies = Copies(engine, {"longshore.web.host": HOST, "longshore.web.only": "leader"} | {"longshore.web.hold": "9s"})
    found = sorted((copies.start() for _ in range(5)), key=lambda container: container.id)
    b = balance(engine=engine, series=series)
    b.until_up("web", 2)
    until_by(b, found[0].short)
    with Traffic(b) as traffic:
        found[0].stop()
        until_by(b, found[1].short)
        b.until_up("web", 2)
        found[1].kill("TERM")
        until_by(b, found[2].short)
        traffic.more(10)
        assert b.command("drain", f"web/{found[2].short}:8000").returncode == 0
        until_by(b, found[3].short)
        assert b.command("ready", f"web/{found[2].short}:8000").returncode == 0
        until_by(b, found[2].short)
        traffic.more(10)
    assert traffic.lost == {}
    copies.check(traffic)
    assert b.reloads == 0
    found[2].pause()
    until_by(b, found[3].short)
    found[2].unpause()
    until_by(b, found[2].short)
    found[2].kill()
    until_by(b, found[3].short)
    assert b.reloads == 0


@oldest_and_newest
def test_a_leader_that_crashes_or_is_withdrawn_is_followed_at_once(
    etcd: Etcd, webs: dict[str, Web], balance: Callable[..., Balancer], series: str
) -> None:
    """One at a time, whatever happens; the smallest id leads again when it is back."""
    for web in webs.values():
        register(etcd, web, {"longshore.only": "leader"})
    b = balancer(balance, etcd, series)
    b.until_up("web", 2)
    until_by(b, "far-1")
    assert roles(b) == {
        "far-1": ("up", "leader"),
        "far-2": ("up", "backup"),
        "near-1": ("standby", "standby"),
        "near-2": ("standby", "standby"),
    }
    with Traffic(b) as traffic:
        webs["far-1"].__exit__()
        until_by(b, "far-2")
        b.until(lambda _: roles(b)["near-1"] == ("up", "backup"), "the next one stands behind it")
        traffic.more(10)
        webs["far-1"].__enter__()
        until_by(b, "far-1")
        etcd.delete("/longshore/services/web/far-1")
        until_by(b, "far-2")
        etcd.delete("/longshore/services/web/far-2")
        until_by(b, "near-1")
        traffic.more(10)
        register(etcd, webs["far-1"], {"longshore.only": "leader"})
        until_by(b, "far-1")
        traffic.more(10)
    assert traffic.failures("GET") == []
    assert b.reloads == 0
