"""docs/migrate/synapse.md, typed as it is written: Synapse's HAProxy, both, longshore, and back; every request counted.

Synapse is a stand-in that writes haproxy.cfg as Synapse does (`tests.lab.synapse`); its HAProxy runs under Debian's
unit, and is an old one: from 3.3 on HAProxy refuses a frontend and a backend of one name, which Synapse writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.haproxy import haproxy, oldest_and_newest
from tests.lab.load import Load
from tests.lab.machine import LAB, Machine, section
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper
from tests.system.smartstack import PATH, enter

pytestmark = pytest.mark.system
PAGE = "migrate/synapse.md"
MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")
DEBIAN = """\
[Service]
ExecStart=haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /var/run/haproxy.pid
ExecReload=haproxy -Ws -f /etc/haproxy/haproxy.cfg -c -q && kill -USR2 $MAINPID
KillMode=mixed
Type=notify
[Install]
WantedBy=multi-user.target
"""
SYNAPSE = "[Service]\nExecStart=synapse -c /etc/synapse.conf.json\n[Install]\nWantedBy=multi-user.target\n"
DOCKER = """\
#!/bin/sh
case "$1" in
ps) echo 0123456789ab ;;
inspect) echo '[]' ;;
esac
"""


@pytest.fixture
def zookeeper() -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


class Balancing(Machine):
    """A machine where Synapse and its HAProxy serve one service on a port of its own, and by a frontend of the file."""

    def __init__(self, series: str, zookeeper: ZooKeeper) -> None:
        self.web, self.tcp, self.front, self.stats = (ports.free() for _ in range(4))
        programs = {"haproxy": haproxy("2.6"), "synapse": LAB / "synapse.py"}
        env = {"LONGSHORE_ADMIN_BIND": f"127.0.0.1:{ports.free()}", "LONGSHORE_HAPROXY_BINARY": str(haproxy(series))}
        super().__init__(programs=programs, env=env)
        self.put("bin/docker", DOCKER).chmod(0o755)
        self.put("etc/synapse.conf.json", json.dumps(self._file(zookeeper), indent=2))
        self.unit("haproxy", DEBIAN)
        self.unit("synapse", SYNAPSE)
        (unit,) = section(PAGE, "Before").blocks("ini")
        self.unit("longshore", unit)

    def _file(self, zookeeper: ZooKeeper) -> dict[str, Any]:
        discovery = {"method": "zookeeper", "hosts": zookeeper.hosts, "path": PATH}
        options = "check inter 500ms rise 2 fall 2"
        checked = ["mode http", "option httpchk GET /health"]
        web = {"port": self.web, "bind_address": "0.0.0.0", "server_options": options, "listen": checked}
        tcp = {"port": self.tcp, "bind_address": "0.0.0.0", "server_options": options, "listen": ["mode tcp"]}
        haproxy = {
            "reload_command": "systemctl reload haproxy",
            "config_file_path": "/etc/haproxy/haproxy.cfg",
            "socket_file_path": "/var/run/haproxy.sock",
            "do_writes": True,
            "do_reloads": True,
            "do_socket": True,
            "global": ["daemon", "maxconn 4096", "stats socket /var/run/haproxy.sock mode 660 level admin"],
            "defaults": [
                *("maxconn 2000", "retries 3", "option redispatch", "option idle-close-on-response"),
                *("timeout connect 5s", "timeout client 1m", "timeout server 1m"),
            ],
            "extra_sections": {
                "frontend all": ["mode http", f"bind 0.0.0.0:{self.front}", "default_backend web"],
                "listen stats": ["mode http", f"bind 0.0.0.0:{self.stats}", "stats enable", "stats uri /"],
            },
        }
        services = {name: {"discovery": discovery, "haproxy": said} for name, said in (("web", web), ("tcp", tcp))}
        return {"services": services, "haproxy": haproxy}

    def config(self) -> str:
        """What Synapse wrote last."""
        path = self.root / "etc/haproxy/haproxy.cfg"
        return path.read_text() if path.exists() else ""


def begin(stack: ExitStack, machine: Balancing) -> list[Load]:
    """Have Synapse and its HAProxy serve, do what the page says before the move, and count requests from now on."""
    check, preview, containers, finish = section(PAGE, "Before").blocks("sh")
    machine.types("systemctl start synapse")
    until(lambda: "\tserver " in machine.config(), what="Synapse wrote")
    machine.types("systemctl start haproxy")
    assert "reads" not in machine.types(check)
    assert "one" in machine.types(preview)
    docker = {"method": "docker", "servers": [{"name": "a", "host": "a"}], "image_name": "a", "container_port": 1}
    file = {"services": {"ours": {"discovery": docker, "haproxy": {"port": 1}}}, "haproxy": {}}
    machine.put("etc/docker.conf.json", json.dumps(file))
    assert "ours" in machine.types(containers.replace("synapse.conf.json", "docker.conf.json"))
    machine.types(finish)
    loads = [
        stack.enter_context(Load(port=machine.web, rate=200, keep=False)),
        stack.enter_context(Load(port=machine.web, rate=50)),
        stack.enter_context(Load(port=machine.front, rate=50, keep=False, method="POST")),
        stack.enter_context(Load(port=machine.tcp, rate=50, keep=False)),
    ]
    more(loads, 50)
    return loads


def more(loads: list[Load], count: int) -> None:
    """Let each of them send more requests."""
    for load in loads:
        load.more(count)


@oldest_and_newest
def test_the_way_there_and_back(zookeeper: ZooKeeper, series: str) -> None:
    there, then = section(PAGE, "There").blocks("sh")
    (update,) = section(PAGE, "Updating longshore").blocks("sh")
    (back,) = section(PAGE, "Back").blocks("sh")
    with ExitStack() as stack:
        one, two = (stack.enter_context(Web(name)) for name in ("one", "two"))
        first = enter(zookeeper, one)
        machine = stack.enter_context(Balancing(series, zookeeper))
        loads = begin(stack, machine)
        said = machine.types(there)
        assert said.count("all new connections come here, the other may be stopped") == 4, said
        machine.types(then)
        second = enter(zookeeper, two)
        until(lambda: "two" in machine.types("longshore status web"), what="it is found")
        zookeeper.delete(first)
        more(loads, 100)
        pid = (machine.root / "longshore.main").read_text()
        machine.types(update)
        until(lambda: (machine.root / "longshore.main").read_text() != pid, what="the next one is started")
        machine.types("longshore wait")
        more(loads, 100)
        try:
            machine.types(back)
            more(loads, 100)
        finally:
            MIGRATE.write_text("0\n")
        enter(zookeeper, one)
        zookeeper.delete(second)
        until(lambda: f":{two.port} " not in machine.config(), what="Synapse writes again")
        for load in loads:
            load.more(100)
            load.stop()
            assert load.report.lost == 0, load.report
            assert set(load.report.by) == {"one", "two"}


@oldest_and_newest
def test_giving_up(zookeeper: ZooKeeper, series: str) -> None:
    """A service whose registry is away keeps longshore from getting ready; the old HAProxy goes on."""
    there, _ = section(PAGE, "There").blocks("sh")
    (give_up,) = section(PAGE, "If it does not get ready").blocks("sh")
    with ExitStack() as stack:
        one, two = (stack.enter_context(Web(name)) for name in ("one", "two"))
        first = enter(zookeeper, one)
        machine = stack.enter_context(Balancing(series, zookeeper))
        loads = begin(stack, machine)
        path = machine.root / "etc/synapse.conf.json"
        good = path.read_text()
        away = {"method": "zookeeper", "hosts": [f"127.0.0.1:{ports.free()}"], "path": PATH}
        file = json.loads(good)
        file["services"]["late"] = {"discovery": away, "haproxy": {"port": ports.free(), "listen": ["mode http"]}}
        path.write_text(json.dumps(file))
        with pytest.raises(AssertionError, match="not ready"):
            machine.types(there.replace("5m", "5s"))
        more(loads, 100)
        path.write_text(good)
        machine.types(give_up)
        enter(zookeeper, two)
        zookeeper.delete(first)
        until(lambda: f":{one.port} " not in machine.config(), what="Synapse writes again")
        for load in loads:
            load.more(100)
            load.stop()
            assert load.report.lost == 0, load.report
            assert set(load.report.by) == {"one", "two"}
