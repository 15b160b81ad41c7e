"""docs/migrate/nerve.md, typed as it is written, while Synapse's HAProxy and a balancer of ours serve what is there.

Nerve is a stand-in that keeps ephemeral sequential nodes as Nerve does (`tests.lab.nerve`), Synapse one that writes
haproxy.cfg as Synapse does. Every request through both is counted: Nerve alone, both, longshore alone, and back. A
watcher of ZooKeeper's sees the address at every moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab import ports
from tests.lab.foreign import ForeignBalancer
from tests.lab.haproxy import haproxy, oldest_and_newest
from tests.lab.load import Load
from tests.lab.machine import LAB, Machine, section
from tests.lab.nerve_registrar import Watcher
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper
from tests.system.smartstack import HTTP, PATH

pytestmark = pytest.mark.system
PAGE = "migrate/nerve.md"
NAME = "web1.example.com"


@pytest.fixture
def zookeeper() -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


class Serving(Machine):
    """A machine with one service, Nerve, Synapse and its HAProxy."""

    def __init__(self, zookeeper: ZooKeeper, web: Web) -> None:
        super().__init__(programs={"haproxy": haproxy("2.6"), "nerve": LAB / "nerve.py", "synapse": LAB / "synapse.py"})
        self.swaps["/var/lib/longshore"] = str(self.state)
        self.port = ports.free()
        service = {
            "host": "127.0.0.1",
            "port": web.port,
            "reporter_type": "zookeeper",
            "zk_hosts": zookeeper.hosts,
            "zk_path": PATH,
            "check_interval": 0.5,
            "checks": [{"type": "http", "uri": "/health", "timeout": 1, "rise": 1, "fall": 2}],
        }
        self.put("etc/nerve.conf.json", json.dumps({"instance_id": NAME, "services": {"web": service}}, indent=1))
        self.synapse = self.put("etc/synapse.conf.json", json.dumps(self._synapse(zookeeper, self.port), indent=1))
        self.unit("nerve", "[Service]\nExecStart=nerve -c /etc/nerve.conf.json\n")
        self.unit("synapse", "[Service]\nExecStart=synapse -c /etc/synapse.conf.json\n")
        run = "ExecStart=haproxy -Ws -f /etc/haproxy/haproxy.cfg\nType=notify\nExecReload=kill -USR2 $MAINPID\n"
        self.unit("haproxy", f"[Service]\n{run}")
        (unit,) = section(PAGE, "Before").blocks("ini")
        self.unit("longshore-register", unit)

    def _synapse(self, zookeeper: ZooKeeper, port: int) -> dict[str, object]:
        discovery = {"method": "zookeeper", "hosts": zookeeper.hosts, "path": PATH}
        haproxy = {"port": port, "bind_address": "127.0.0.1", "listen": ["mode http"]}
        process = {
            "config_file_path": "/etc/haproxy/haproxy.cfg",
            "reload_command": "systemctl reload haproxy",
            "global": [],
            "defaults": HTTP,
        }
        return {"services": {"web": {"discovery": discovery, "haproxy": haproxy}}, "haproxy": process}

    def servers(self) -> int:
        """How many servers Synapse wrote."""
        path = self.root / "etc/haproxy/haproxy.cfg"
        return path.read_text().count("\tserver ") if path.exists() else 0


@oldest_and_newest
def test_the_way_there_and_back(zookeeper: ZooKeeper, series: str) -> None:
    (check,) = section(PAGE, "Before").blocks("sh")
    begin, end = section(PAGE, "There").blocks("sh")
    begin_back, end_back = section(PAGE, "Back").blocks("sh")
    with ExitStack() as stack:
        web = stack.enter_context(Web("one"))
        machine = stack.enter_context(Serving(zookeeper, web))
        machine.types(check, "systemctl start nerve")
        until(lambda: zookeeper.nodes(PATH), what="Nerve has written its node")
        machine.types("systemctl start synapse")
        said = machine.root / "synapse.log"
        until(lambda: "haproxy does not run" in said.read_text(), what="Synapse has tried to reload HAProxy")
        assert machine.servers() == 1
        machine.types("systemctl start haproxy")
        ((node, nerves),) = zookeeper.nodes(PATH).items()
        config = json.loads(machine.synapse.read_text())
        config["services"]["web"]["haproxy"]["port"] = port = ports.free()
        file = machine.put("etc/ours.conf.json", json.dumps(config))
        balancer = stack.enter_context(ForeignBalancer("--synapse", file, series=series, port=port))
        balancer.until_up("web", 1)
        (before,) = balancer.service("web")["endpoints"]
        watcher = stack.enter_context(Watcher(zookeeper, PATH))
        loads = [stack.enter_context(Load(port=each, rate=100, keep=False)) for each in (machine.port, port)]

        def more(number: int) -> None:
            for load in loads:
                load.more(number)
            assert machine.servers() == 1

        def is_held() -> bool:
            return "held" in machine.types(status)

        start, status = begin.splitlines()
        machine.types(start)
        until((machine.state / "register.sock").exists, what="the registrar is there")
        until(is_held, what="it is registered")
        both = zookeeper.nodes(PATH)
        assert list(both.values()) == [nerves, nerves], "byte by byte"
        assert node in both, "ours stands beside Nerve's"
        more(200)
        assert zookeeper.nodes(PATH) == both, "neither takes anything from the other"
        assert is_held()
        machine.types("systemctl restart longshore-register")
        ours = until(lambda: zookeeper.nodes(PATH).keys() - both, what="the next run has taken over what it kept")
        until(is_held, what="it is registered")
        assert zookeeper.nodes(PATH) == dict.fromkeys({node, *ours}, nerves)
        machine.types(end)
        more(200)
        assert zookeeper.nodes(PATH) == dict.fromkeys(ours, nerves)
        machine.types(begin_back)
        until(lambda: len(zookeeper.nodes(PATH)) == 2, what="Nerve's node is there again")
        more(100)
        assert ours < zookeeper.nodes(PATH).keys()
        assert is_held()
        machine.types(end_back)
        until(lambda: len(zookeeper.nodes(PATH)) == 1, what="ours is gone")
        more(100)
        for load in loads:
            load.stop()
        (after,) = balancer.service("web")["endpoints"]
        assert (after["id"], after["since"]) == (before["id"], before["since"]), "the same server all the time"
        assert balancer.reloads == 0
        assert len(watcher.seen) > 4
        assert {tuple(set(each)) for each in watcher.addresses()} == {(("127.0.0.1", web.port),)}
    for load in loads:
        assert load.report.lost == 0, load.report


def test_its_import(zookeeper: ZooKeeper) -> None:
    (block,) = section(PAGE, "Your own file").blocks("sh")
    with Web("one") as web, Serving(zookeeper, web) as machine:
        machine.put("etc/longshore/README", "")
        assert "0 problems" in machine.types(block)
