"""What runs and is well stands in the registry, with all that others need; nothing else does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest

from tests.lab.balancer import Balancer
from tests.lab.engine import Engine, newest_docker
from tests.lab.etcd import Etcd
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.system.registrar.conftest import Register
from tests.system.registrar.standing import LABELS, PORT, entries, ids

pytestmark = pytest.mark.system


def test_a_container_is_registered_with_its_labels_and_leaves_at_its_stop_signal(
    etcd: Etcd, engine: Engine, register: Register
) -> None:
    registrar = register(register={"zone": "eu-1a", "name": "box", "tags": ["blue"]})
    labels = LABELS | {"longshore.weight": 50, "longshore.sticky": "SRV", "longshore.register-check": "tcp"}
    web = engine.run("web-1", labels=labels, env={"DRAIN": 3}, args=PORT)
    until(lambda: entries(etcd))
    (lease,) = registrar.until_held("web", 1)
    ((identity, entry),) = entries(etcd).items()
    assert identity == f"{web.short}:8000"
    owner = entry.pop("owner")
    assert entry.pop("since") == pytest.approx(lease["since"], abs=60)
    assert owner.startswith("box.")
    assert len(owner) == len("box.12345678")
    assert entry == {
        "host": "127.0.0.1",
        "port": web.published(),
        "name": "web-1",
        "weight": 50,
        "labels": {"longshore.host": "a.test", "longshore.check": "/", "longshore.sticky": "SRV"},
        "tags": ["blue"],
        "zone": "eu-1a",
        "machine": "box",
    }
    assert (lease["owner"], lease["registry"], lease["ttl"], lease["check"]) == (owner, "etcd", 2.0, "tcp: ok")
    stopping = threading.Thread(target=web.stop)
    stopping.start()
    until(lambda: not entries(etcd))
    assert web.status == "running", "the entry is gone while the container still finishes its work"
    stopping.join()
    said = [event["what"] for event in registrar.api("/v1/events")["events"]]
    assert any(what.startswith(f"registered web/{identity} in etcd after ") for what in said), said
    assert any(what.startswith(f"withdrew web/{identity} from etcd after ") for what in said), said


def test_the_newest_engine(etcd: Etcd, new_engine: Callable[..., Engine], register: Register) -> None:
    """Started, killed, removed, paused: on Docker 28 and newer as on the oldest."""
    engine = new_engine(tree=newest_docker())
    register(engine=engine)
    one, two, three = (engine.run(labels=LABELS, args=PORT) for _ in range(3))
    until(lambda: set(entries(etcd)) == ids(one, two, three))
    one.kill()
    until(lambda: set(entries(etcd)) == ids(two, three))
    two.rm()
    until(lambda: set(entries(etcd)) == ids(three))
    three.pause()
    until(lambda: not entries(etcd))
    three.unpause()
    until(lambda: set(entries(etcd)) == ids(three))


def test_every_port_and_protocol_where_others_reach_it(etcd: Etcd, engine: Engine, register: Register) -> None:
    """Published ports, TCP and UDP; the host's network; the container's own address in a network that is routed."""
    register(register={"expose": "all", "networks": ["routed"]})
    two = {"longshore.shop.port": 8000, "longshore.stats.port": 9000, "longshore.dns.port": "53/udp"}
    ports = ("-p", "8000", "-p", "9000", "-p", "53/udp")
    several = engine.run("several", labels=two, env={"PORT": "8000,9000"}, args=ports)
    host = engine.run(
        "hosts",
        labels={"longshore.service": "hosts", "longshore.port": 18080},
        env={"PORT": "18080"},
        args=("--network", "host"),
    )
    engine.network("routed")
    routed = engine.run(
        "routed", labels={"longshore.service": "routed", "longshore.port": 8000}, args=("--network", "routed")
    )
    bare = engine.run("bare", args=PORT)

    def found(service: str) -> dict[str, tuple[str, int]]:
        return {key: (each["host"], each["port"]) for key, each in entries(etcd, service).items()}

    local = "127.0.0.1"
    until(lambda: found("shop") == {f"{several.short}:8000": (local, several.published(8000))})
    until(lambda: found("stats") == {f"{several.short}:9000": (local, several.published(9000))})
    until(lambda: list(found("dns")) == [f"{several.short}:53:udp"])
    assert entries(etcd, "dns")[f"{several.short}:53:udp"]["labels"]["longshore.enable"] == "false"
    until(lambda: found("hosts") == {f"{host.short}:18080": (local, 18080)})
    until(lambda: found("routed") == {f"{routed.short}:8000": (routed.address, 8000)})
    until(lambda: found("web") == {f"{bare.short}:8000": (local, bare.published(8000))})


def test_only_what_passes_its_check_stands_there(etcd: Etcd, engine: Engine, register: Register) -> None:
    """It leaves when the check fails, and comes back; a HEALTHCHECK counts as the engine says."""
    registrar = register()
    web = engine.run("web-1", labels=LABELS | {"longshore.check": "/health"}, args=PORT)
    until(lambda: entries(etcd))
    web.get("/fail?on")
    until(lambda: not entries(etcd))
    registrar.until(lambda status: [lease["state"] for lease in status["registrar"]["leases"]] == ["out"])
    (lease,) = registrar.leases("web")
    assert lease["error"] == "its check fails"
    assert "503" in lease["check"]
    web.get("/fail?off")
    until(lambda: entries(etcd))
    web.rm()
    engine.load("lab/healthy:1", 'HEALTHCHECK --interval=300ms --retries=1 CMD ["/bin/web", "healthy"]')
    sick = engine.run("web-2", image="lab/healthy:1", labels=LABELS | {"longshore.port": 8000}, args=PORT)
    until(lambda: set(entries(etcd)) == ids(sick))
    sick.get("/fail?on")
    until(lambda: not entries(etcd))
    sick.get("/fail?off")
    until(lambda: set(entries(etcd)) == ids(sick))


def test_what_is_wrong_with_one_container_harms_no_other(etcd: Etcd, engine: Engine, register: Register) -> None:
    registrar = register()
    fine = engine.run("fine", labels=LABELS, args=PORT)
    engine.run("misspelled", labels=LABELS | {"longshore.wieght": "5"}, args=PORT)
    engine.run("hidden", labels=LABELS)
    engine.run("here-only", labels=LABELS, args=("-p", "127.0.0.1::8000"))
    engine.run("silent", labels=LABELS | {"longshore.register-check": "/status?500"}, args=PORT)
    engine.run("off", labels=LABELS | {"longshore.register": "false"}, args=PORT)
    until(lambda: set(entries(etcd)) == ids(fine))
    registrar.until(lambda status: len(status["problems"]) == 3)
    said = {problem["where"]: f"{problem['what']} {problem['hint']}" for problem in registrar.status()["problems"]}
    assert "did you mean weight" in said["container misspelled"]
    assert "it is not published publish it: -p 8000" in said["container hidden"]
    assert "published only on 127.0.0.1" in said["container here-only"]
    registrar.until(lambda status: any("500" in lease["check"] for lease in status["registrar"]["leases"]))
    assert set(entries(etcd)) == ids(fine)


def test_an_endpoint_that_comes_and_goes_does_not_storm_the_registry(
    etcd: Etcd, engine: Engine, register: Register
) -> None:
    registrar = register(register={"interval": "50ms", "fall": 1})
    web = engine.run("web-1", labels=LABELS | {"longshore.check": "/health"}, args=PORT)
    calm = engine.run("calm", labels=LABELS, args=PORT)
    for _ in range(6):
        until(lambda: set(entries(etcd)) == ids(web, calm))
        web.get("/fail?on")
        until(lambda: set(entries(etcd)) == ids(calm))
        web.get("/fail?off")
    registrar.until(lambda status: any("came and went" in problem["what"] for problem in status["problems"]))
    until(lambda: "ok" in {lease["id"]: lease["check"] for lease in registrar.leases()}[f"{web.short}:8000"])
    assert set(entries(etcd)) == ids(calm)


def test_plain_processes(etcd: Etcd, register: Register) -> None:
    """Without an engine, as Nerve does: said in the configuration, checked, registered with what it says."""
    with Web("plain") as web:
        service = {"port": web.port, "check": "/health", "host": ["a.test", "b.test"], "weight": 7, "tags": ["old"]}
        registrar = register(engine=None, register={"name": "box", "services": {"web": service}})
        until(lambda: entries(etcd))
        ((identity, entry),) = entries(etcd).items()
        assert identity == f"box:{web.port}"
        assert (entry["host"], entry["port"], entry["weight"], entry["tags"]) == ("127.0.0.1", web.port, 7, ["old"])
        assert entry["labels"] == {"longshore.host": "a.test, b.test"}
        web.get("/fail?on")
        until(lambda: not entries(etcd))
        web.get("/fail?off")
        registrar.until_held("web", 1)


def test_both_sections_in_one_process(etcd: Etcd, engine: Engine, balance: Callable[..., Balancer]) -> None:
    """The balancer registers what runs here, and serves it once; the section may come and go while it runs."""
    section = {"address": "127.0.0.1", "ttl": "2s", "docker": {"host": engine.host}}
    b = balance(engine=engine, config={"sources": {"etcd": {"endpoints": etcd.endpoints}}, "register": section})
    web = engine.run("web-1", labels=LABELS, args=PORT)
    until(lambda: set(entries(etcd)) == ids(web))
    b.serves("a.test", 1)
    b.until(lambda status: [lease["state"] for lease in status["registrar"]["leases"]] == ["held"])
    assert not b.status()["problems"]
    assert f"registered web/{web.short}:8000 in etcd" in b.command("events").stdout
    b.configure({"register": None})
    b.send(signal.SIGHUP)
    until(lambda: not entries(etcd))
    b.until(lambda status: status["registrar"] is None)
    b.serves("a.test", 1)
    b.configure({"register": section})
    b.send(signal.SIGHUP)
    until(lambda: entries(etcd))
    b.terminate()
    assert not entries(etcd)


def test_status_shows_a_registrar_alone_and_beside_a_balancer(
    etcd: Etcd, engine: Engine, register: Register, balance: Callable[..., Balancer]
) -> None:
    b = balance(engine=engine)
    registrar = register(state=b.state)
    web = engine.run("web-1", labels=LABELS, args=PORT)
    held = f"held  web/{web.short}:8000  127.0.0.1:{web.published()}  in etcd  TTL 2 s"
    registrar.until_held("web", 1)
    b.until_up("web", 1)
    both = registrar.command("status")
    assert both.returncode == 0, both.stderr
    assert "HAProxy 3.4" in both.stdout
    assert held in both.stdout
    assert "registered web/" in registrar.command("events").stdout
    assert "endpoint web-1 in" in registrar.command("events").stdout
    second = registrar.command("register", "--config", str(registrar.config))
    assert second.returncode == 1
    assert f"another registrar (pid {registrar.pid}) runs with the state directory" in second.stderr
    b.terminate()
    alone = registrar.command("status")
    assert alone.returncode == 0, alone.stderr
    assert "longshore registrar" in alone.stdout
    assert held in alone.stdout
    assert "HAProxy" not in alone.stdout
    assert held in registrar.command("status", "web").stdout
    refused = registrar.command("drain", "web")
    assert (refused.returncode, "this is a registrar" in refused.stderr) == (1, True)
    assert 'longshore_leases{registry="etcd",state="held"} 1.0' in registrar.text("/metrics")
