"""Where services come from: containers without labels, the operator's configuration, files, several engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import BARE, Engine, newest_docker
from tests.lab.load import Load
from tests.lab.socket_proxy import SocketProxy
from tests.lab.web import Web
from tests.system.labelling import labels

pytestmark = pytest.mark.system

Balance = Callable[..., Balancer]


def test_containers_without_labels_by_every_way_of_grouping(engine: Engine, balance: Balance) -> None:
    """Four sources of one engine, each with a way of its own; what has no port is none of their business."""
    every = {"type": "docker", "host": engine.host, "expose": "all"}
    ways = {"docker": "compose", "images": "image", "labels": "label:tier", "envs": "env:TIER"}
    balancer = balance(
        engine=engine, config={"sources": {name: {**every, "group-by": way} for name, way in ways.items()}}
    )
    compose = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
    one = engine.run(labels={**compose, "tier": "gold"}, env={"TIER": "silver"}).short
    two = engine.run(labels={**compose, "tier": "tin"}, env={"TIER": "iron"}).short
    engine.run("portless", image=BARE)
    engine.run("off", image="lab/web:1", labels={"longshore.enable": "false"})
    for host, copies in {
        "shop-web": {one, two},
        "web": {one, two},
        "gold": {one},
        "tin": {two},
        "silver": {one},
        "iron": {two},
    }.items():
        assert balancer.serves(f"{host}.localhost", len(copies)) == copies
    status = balancer.status()
    assert status["problems"] == []
    assert {service["name"] for service in status["services"]} == {"shop-web", "web", "gold", "tin", "silver", "iron"}
    assert {source["name"]: source["state"] for source in status["sources"]} == dict.fromkeys(ways, "current")


def test_services_of_the_operator_and_of_files(engine: Engine, balance: Balance, tmp_path: Path) -> None:
    """Containers picked by image and label, fixed endpoints by address and name; files that change, and that break."""
    with Web("vm1") as vm1, Web("vm2") as vm2:
        port, folder = ports.free(), tmp_path / "services.d"
        folder.mkdir()
        file = folder / "vm.yaml"

        def write(**services: object) -> None:
            new = file.with_suffix(".new")
            new.write_text(json.dumps({"services": services}))
            new.rename(file)

        one, two = f"127.0.0.1:{vm1.port}", f"127.0.0.1:{vm2.port}"
        filed = {"host": "filed.test", "endpoints": [one]}
        write(filed=filed)
        picked = {
            "node": {"from": {"image": "local/nodeapp", "port": 8000}, "listen": f":{port}", "check": "/"},
            "tier": {"from": {"label": "tier=web"}, "host": "tier.test"},
            "vm": {"host": "vm.test", "endpoints": [one, {"address": "localhost", "port": vm2.port}]},
            "lost": {"host": "lost.test", "endpoints": ["nowhere.invalid:80"]},
        }
        balancer = balance(engine=engine, config={"services": picked, "sources": {
            "docker": {"host": engine.host}, "file": {"path": str(folder)}}})  # fmt: skip
        assert balancer.serves("vm.test", 2) == {"vm1", "vm2"}
        assert balancer.serves("filed.test", 1) == {"vm1"}
        balancer.until(lambda status: "nowhere.invalid" in str(status["problems"]))
        assert balancer.request("lost.test").status == 503
        assert balancer.request("tier.test").status == 503

        engine.load("local/nodeapp:3", "EXPOSE 8000 9000")
        node = engine.run(image="local/nodeapp:3")
        assert balancer.serves("any.test", 1, port=port) == {node.short}
        web = engine.run(labels={"tier": "web"})
        assert balancer.serves("tier.test", 1) == {web.short}

        reloads = balancer.reloads
        with Load(port=balancer.port, host="filed.test", rate=40) as load:
            load.more(10)
            write(filed={**filed, "endpoints": [one, two]}, more={**filed, "host": "more.test"})
            assert balancer.serves("more.test", 1) == {"vm1"}
            assert balancer.serves("filed.test", 2) == {"vm1", "vm2"}
            write(filed={**filed, "endpoints": [two]})
            assert balancer.serves("filed.test", 1) == {"vm2"}
            file.write_text("services:\n  filed:\n    host: [")
            balancer.until(lambda status: "vm.yaml:3" in str(status["problems"]), "the broken file is a problem")
            assert balancer.serves("filed.test", 1) == {"vm2"}
            write(filed={**filed, "endpoints": [one], "weihgt": 5})
            balancer.until(lambda status: 'did you mean "weight"' in str(status["problems"]))
            assert balancer.serves("filed.test", 1) == {"vm2"}
            write(filed={**filed, "endpoints": [one, two]})
            assert balancer.serves("filed.test", 2) == {"vm1", "vm2"}
            balancer.until(lambda status: "vm.yaml" not in str(status["problems"]), "all is well")
        assert load.report.lost == 0, load.report
        assert balancer.request("more.test").status == 503
        assert balancer.reloads == reloads


def test_two_engines_one_behind_a_proxy_that_only_reads_one_over_tcp(
    engine: Engine, new_engine: Callable[..., Engine], balance: Balance
) -> None:
    """One service has endpoints on both. When one engine stops, the other's go on, and that one is said to be stale."""
    tcp = f"tcp://127.0.0.1:{ports.free()}"
    east = new_engine(hosts=[tcp])
    with SocketProxy(engine.host) as proxy:
        sources = {"docker": {"host": proxy.host}, "east": {"type": "docker", "host": tcp}}
        balancer = balance(engine=engine, config={"sources": sources})
        said = labels("both", host="both.test")
        here, there = engine.run(labels=said), east.run(labels=said)
        assert balancer.serves("both.test", 2) == {here.short, there.short}
        assert balancer.service("both")["sources"] == ["docker", "east"]
        with Load(port=balancer.port, host="both.test", rate=40) as load:
            load.more(10)
            here.stop()
            assert balancer.serves("both.test", 1) == {there.short}
            here.start()
            assert balancer.serves("both.test", 2) == {here.short, there.short}
            east.stop()
            balancer.until(
                lambda status: [s for s in status["sources"] if (s["name"], s["state"]) == ("east", "stale")]
            )
            assert balancer.serves("both.test", 1) == {here.short}
        assert load.report.lost == 0, load.report
        assert "source east" in str(balancer.status()["problems"])
        assert proxy.refused == []


def test_the_newest_engine_with_a_raised_minimum_and_a_network_of_ipv6_only(
    new_engine: Callable[..., Engine], balance: Balance
) -> None:
    engine = new_engine(tree=newest_docker(), env={"DOCKER_MIN_API_VERSION": "1.44"})
    balancer = balance(engine=engine)
    said = labels("new", host="new.test")
    one, two = engine.run(labels=said), engine.run(labels=said)
    assert balancer.serves("new.test", 2) == {one.short, two.short}
    engine.network("six", "--ipv4=false", "--ipv6", "--subnet", "fd00:78::/64")
    six = engine.run("six", labels=labels("six", host="six.test"), args=("--network", "six"))
    assert balancer.serves("six.test", 1) == {six.short}
    assert balancer.service("six")["endpoints"][0]["address"].startswith("fd00:78::")
    with Load(port=balancer.port, host="new.test", rate=40) as load:
        load.more(10)
        one.stop()
        assert balancer.serves("new.test", 1) == {two.short}
        load.more(10)
    assert load.report.lost == 0, load.report
    assert balancer.reloads == 0
