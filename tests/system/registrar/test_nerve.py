"""`longshore register --nerve`: what stands in a real ZooKeeper is what Nerve would have written, at every moment."""

from __future__ import annotations

import base64
import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.nerve_registrar import INSTANCE, NerveRegistrar, Watcher, nerve_service
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper

pytestmark = pytest.mark.system
FOLDER = "/nerve/services/web/services"


@pytest.fixture(scope="module")
def shared(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def zookeeper(shared: ZooKeeper) -> ZooKeeper:
    """A server without entries."""
    shared.put("/nerve")
    shared.delete("/nerve")
    return shared


@pytest.fixture
def webs(own_network: None) -> Iterator[list[Web]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Web(f"web-{number}")) for number in range(2)]


def nodes(zookeeper: ZooKeeper, folder: str = FOLDER) -> dict[str, bytes]:
    """What stands in a folder, by the name of the node."""
    return {path.rpartition("/")[2]: value for path, value in zookeeper.nodes(folder).items() if path != folder}


@pytest.mark.parametrize("top", [pytest.param("heartbeat_path", id="A3 znode and payload, in a real ZooKeeper")])
def test_what_stands_there_is_what_nerve_writes(zookeeper: ZooKeeper, webs: list[Web], top: str) -> None:
    """Plain, encoded, and a second service in the same folder; one session for all; nothing is left after SIGTERM."""
    one, two = webs
    more = {"weight": 10, "haproxy_server_options": "backup", "labels": {"role": "web", "az": "eu-1a"}}
    services = {
        "web": nerve_service(zookeeper, one, **more),
        "twin": nerve_service(zookeeper, two),
        "coded": nerve_service(zookeeper, one, zk_path="/nerve/coded", use_path_encoding=True),
    }
    with NerveRegistrar(services, **{top: "beat"}) as registrar:
        registrar.until(lambda status: {lease["state"] for lease in status["registrar"]["leases"]} == {"held"})
        plain = f'{{"host":"127.0.0.1","port":{two.port},"name":"i-1.example.com"}}'.encode()
        full = (
            f'{{"host":"127.0.0.1","port":{one.port},"name":"i-1.example.com","weight":10,'
            '"haproxy_server_options":"backup","labels":{"role":"web","az":"eu-1a"}}'
        ).encode()
        found = nodes(zookeeper)
        assert sorted(found.values()) == sorted([plain, full])
        assert all(re.fullmatch(r"i-1\.example\.com_\d{10}", name) for name in found)
        coded = nodes(zookeeper, "/nerve/coded")
        payload = f'{{"host":"127.0.0.1","port":{one.port},"name":"i-1.example.com"}}'.encode()
        text = base64.urlsafe_b64encode(payload).decode()
        ((name, value),) = coded.items()
        assert re.fullmatch(rf"base64_{len(text)}_{re.escape(text)}_\d{{10}}", name)
        assert value == payload
        paths = [*(f"{FOLDER}/{name}" for name in found), f"/nerve/coded/{name}"]
        sessions = {zookeeper.owner_of(path) for path in paths}
        assert len(sessions) == 1
        assert 0 not in sessions
        beat = until((registrar.folder / "beat").stat)
        until(lambda: (registrar.folder / "beat").stat().st_mtime_ns > beat.st_mtime_ns)
        assert registrar.terminate() == 0
        assert not nodes(zookeeper)
        assert not nodes(zookeeper, "/nerve/coded")


@pytest.mark.parametrize("signal_", [pytest.param(signal.SIGHUP, id="A3 SIGHUP")])
def test_sighup_reads_again_and_replaces_without_a_gap(
    zookeeper: ZooKeeper, webs: list[Web], signal_: signal.Signals
) -> None:
    """Weights, labels, checks, path encoding, the list of hosts: a watcher sees the endpoint at every moment."""
    (web, other) = webs
    localhost = [host.replace("127.0.0.1", "localhost") for host in zookeeper.hosts]
    steps: list[dict[str, Any]] = [
        {"weight": 7},
        {"weight": 7, "labels": {"az": "a"}},
        {"weight": 7, "checks": [{"type": "tcp", "timeout": 5}], "check_interval": 0.2},
        {"use_path_encoding": True},
        {"use_path_encoding": True, "weight": 9},
        {"weight": 9},
        {"weight": 9, "zk_hosts": localhost},
        {"node_type": "ephemeral"},
        {"node_type": "persistent_sequential"},
        {},
    ]
    with NerveRegistrar({"web": nerve_service(zookeeper, web)}) as registrar:
        registrar.until_held("web", 1)
        with Watcher(zookeeper, FOLDER) as watcher:
            for step in steps:
                registrar.say({"web": nerve_service(zookeeper, web, **step)})
                registrar.send(signal_)
                said = {"host": "127.0.0.1", "port": web.port, "name": INSTANCE}
                said |= {key: step[key] for key in ("weight", "labels") if key in step}

                def there(said: dict[str, Any] = said, step: dict[str, Any] = step) -> bool:
                    found = nodes(zookeeper)
                    coded = [name.startswith("base64_") for name in found]
                    kinds = [bool(zookeeper.owner_of(f"{FOLDER}/{name}")) for name in found]
                    numbered = [name.rpartition("_")[2] != "" for name in found]
                    node = step.get("node_type", "ephemeral_sequential")
                    return (
                        [json.loads(value) for value in found.values()] == [said]
                        and coded == [step.get("use_path_encoding", False)]
                        and kinds == [node.startswith("ephemeral")]
                        and numbered == [node.endswith("sequential")]
                    )

                until(there, what=f"{step} stands there alone")
        seen = watcher.addresses()
        assert len(seen) > len(steps) // 2
        assert all(("127.0.0.1", web.port) in each for each in seen), seen
        registrar.say({"web": nerve_service(zookeeper, other)})
        registrar.send(signal_)
        until(lambda: [json.loads(value)["port"] for value in nodes(zookeeper).values()] == [other.port])
        registrar.say({})
        registrar.send(signal_)
        until(lambda: not nodes(zookeeper))


def test_after_a_crash_the_next_run_takes_over_and_nobody_notices(zookeeper: ZooKeeper, webs: list[Web]) -> None:
    one, two = webs
    services = {"web": nerve_service(zookeeper, one), "twin": nerve_service(zookeeper, two)}
    with NerveRegistrar(services) as registrar:
        registrar.until(lambda _: len(nodes(zookeeper)) == 2)
        old = {zookeeper.owner_of(f"{FOLDER}/{name}") for name in nodes(zookeeper)}
        with Watcher(zookeeper, FOLDER) as watcher:
            registrar.kill9()
            registrar.start()
            until(lambda: {zookeeper.owner_of(f"{FOLDER}/{name}") for name in nodes(zookeeper)}.isdisjoint(old))
        both = sorted([("127.0.0.1", one.port), ("127.0.0.1", two.port)])
        assert all(each == both for each in watcher.addresses())


@pytest.mark.parametrize("way", [pytest.param("stop", id="A3 zookeeper: session")])
def test_what_a_dead_run_left_expires(zookeeper: ZooKeeper, webs: list[Web], way: str) -> None:
    with NerveRegistrar({"web": nerve_service(zookeeper, webs[0])}, ttl="2s") as registrar:
        until(lambda: nodes(zookeeper))
        registrar.kill9()
        until(lambda: not nodes(zookeeper))


@pytest.mark.parametrize(
    ("node", "number"),
    [
        pytest.param("persistent", False, id="A3 node_type: persistent, in a real ZooKeeper"),
        pytest.param("persistent_sequential", True, id="A3 node_type: persistent_sequential, in a real ZooKeeper"),
    ],
)
def test_nodes_that_stay_are_adopted_touched_and_withdrawn(
    zookeeper: ZooKeeper, webs: list[Web], node: str, number: bool
) -> None:
    services = {"web": nerve_service(zookeeper, webs[0], node_type=node, ttl_seconds=0.2)}
    with NerveRegistrar(services) as registrar:
        (name,) = until(lambda: nodes(zookeeper))
        assert (name == f"{INSTANCE}_") is not number
        path = f"{FOLDER}/{name}"
        assert zookeeper.owner_of(path) == 0
        made = zookeeper.client.get(path)[1]
        until(lambda: zookeeper.client.get(path)[1].mtime > made.mtime, what="it is touched")
        registrar.kill9()
        assert list(nodes(zookeeper)) == [name]
        registrar.start()
        registrar.until_held("web", 1)
        assert zookeeper.client.get(path)[1].czxid == made.czxid, "adopted, not written anew"
        webs[0].get("/fail?on")
        until(lambda: not nodes(zookeeper))
        webs[0].get("/fail?off")
        until(lambda: nodes(zookeeper))
        registrar.terminate()
        assert not nodes(zookeeper)


@pytest.mark.parametrize("number", [pytest.param(2, id="A3 checks: all must pass")])
def test_one_check_of_several_takes_it_out(zookeeper: ZooKeeper, webs: list[Web], number: int) -> None:
    one, two = webs[:number]
    checks = [
        {"type": "tcp", "timeout": 5},
        {"type": "http", "uri": "/health", "timeout": 5, "rise": 2, "fall": 2},
        {"type": "http", "uri": "/health", "timeout": 5, "port": two.port, "expect": "host="},
    ]
    with NerveRegistrar({"web": nerve_service(zookeeper, one, checks=checks)}) as registrar:
        until(lambda: len(nodes(zookeeper)) == 1)
        for each in (one, two):
            each.get("/fail?on")
            until(lambda: not nodes(zookeeper))
            until(lambda: registrar.leases("web")[0]["state"] == "out")
            assert registrar.leases("web")[0]["check"] == "/health: status 503 instead of 200-399"
            each.get("/fail?off")
            until(lambda: len(nodes(zookeeper)) == 1)


@pytest.mark.parametrize(
    "shadow",
    [
        pytest.param(False, id="A3 rate_limiting: shadow_mode false, in a real ZooKeeper"),
        pytest.param(True, id="A3 rate_limiting: shadow_mode true, in a real ZooKeeper"),
    ],
)
def test_a_rate_limit_holds_back_or_only_tells(zookeeper: ZooKeeper, webs: list[Web], shadow: bool) -> None:
    limit = {"average_rate": 0.0001, "max_burst": 1, "shadow_mode": shadow}
    with NerveRegistrar({"web": nerve_service(zookeeper, webs[0], rate_limiting=limit)}) as registrar:
        until(lambda: nodes(zookeeper))
        webs[0].get("/fail?on")
        if shadow:
            until(lambda: not nodes(zookeeper))
            said = [event["what"] for event in registrar.api("/v1/events")["events"]]
            assert f"web/{INSTANCE} changes faster than its rate limit allows" in said
        else:
            registrar.until(lambda status: "503" in status["registrar"]["leases"][0]["check"])
            assert nodes(zookeeper), "it stays, though its check fails"


@pytest.mark.parametrize("top", [pytest.param("service_conf_dir", id="A3 service_conf_dir: a broken file")])
def test_a_broken_service_file_does_not_stop_the_others(zookeeper: ZooKeeper, webs: list[Web], top: str) -> None:
    registrar = NerveRegistrar({}, **{top: "services"})
    folder = registrar.folder / "services"
    folder.mkdir()
    with registrar:
        (folder / "web.json").write_text(json.dumps(nerve_service(zookeeper, webs[0])))
        (folder / "broken.yaml").write_text("host: [")
        (folder / "exotic.yaml").write_text(
            "host: 127.0.0.1\nport: 1\nzk_hosts: [zk1]\nzk_path: /x\nchecks: [{type: sql}]"
        )
        registrar.send(signal.SIGHUP)
        until(lambda: nodes(zookeeper))
        problems = {problem["service"]: problem for problem in registrar.status()["problems"]}
        assert set(problems) == {"broken", "exotic"}
        assert problems["exotic"]["where"] == "services/exotic.yaml:5:17"
        assert "nerve-watcher-sql" in problems["exotic"]["what"]
        checked = registrar.command("check", "--nerve", str(registrar.file))
        assert checked.returncode == 1
        (folder / "broken.yaml").unlink()
        (folder / "exotic.yaml").unlink()
        registrar.send(signal.SIGHUP)
        registrar.until(lambda status: not status["problems"])
