"""docs/migrate/docker-register.md, typed as it is written: docker-discover, both, longshore, and back; all is counted.

docker-register and docker-discover are stand-ins (`tests.lab.docker_register`) that speak etcd's API v2 as they did.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab import ports
from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.haproxy import haproxy, oldest_and_newest
from tests.lab.load import Load
from tests.lab.machine import Machine, section
from tests.lab.waiting import until
from tests.lab.whoami import start

pytestmark = pytest.mark.system
PAGE = "migrate/docker-register.md"
MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")
DOCKER = """\
#!/bin/sh
case "$*" in
"kill --signal STOP docker-discover") kill -STOP $(cat {root}/docker-discover.pid) ;;
"exec docker-discover "*) shift 2 && exec "$@" ;;
"update --restart "*" docker-discover") ;;
"restart docker-discover") kill -CONT $(cat {root}/docker-discover.pid) ;;
*) echo "docker $*: what is that?" && exit 1 ;;
esac
"""


class Etcd2(Etcd):
    """One that answers API v2 as well."""

    def _command(self, member: int) -> list[str | Path]:
        return [*super()._command(member), "--enable-v2"]


@pytest.fixture
def etcd() -> Iterator[Etcd]:
    with Etcd2() as server:
        yield server


class Balancing(Machine):
    """One machine that is all of them: it has containers, docker-register, and docker-discover."""

    def __init__(self, series: str, engine: Engine, etcd: Etcd) -> None:
        address = etcd.endpoints[0].removeprefix("http://")
        swaps = {"10.0.0.11": engine.gateway, "10.0.0.1:2379": address, "/var/lib/longshore": "/nowhere"}
        env = {"LONGSHORE_HAPROXY_BINARY": str(haproxy(series)), "DOCKER_HOST": engine.host, "ETCD_HOST": address}
        env |= {"HOST_IP": engine.gateway, "LONGSHORE_ADMIN_BIND": f"127.0.0.1:{ports.free()}"}
        super().__init__(programs={"haproxy": haproxy(series)}, swaps=swaps, env=env)
        self.swaps["/var/lib/longshore"] = str(self.state)
        self.env["LONGSHORE_CONFIG"] = f"{self.root}/etc/longshore/longshore.yaml"
        self.put("etc/longshore/README", "")
        self.put("bin/docker", DOCKER.format(root=self.root)).chmod(0o755)
        for name, heading in (("longshore-register", "Registrars"), ("longshore", "Balancers")):
            (unit,) = section(PAGE, heading).blocks("ini")
            self.unit(name, unit)
        self.runs("docker-register", *self._theirs("register"), engine.socket)
        config, pidfile = self.root / "etc/haproxy/haproxy.cfg", self.root / "run/haproxy.pid"
        self.runs("docker-discover", *self._theirs("discover"), config, pidfile)

    def _theirs(self, what: str) -> tuple[str, ...]:
        return sys.executable, "-m", "tests.lab.docker_register", what


@oldest_and_newest
def test_the_way_there_and_back(engine: Engine, etcd: Etcd, series: str) -> None:
    register, look = section(PAGE, "Registrars").blocks("sh")
    there, then = section(PAGE, "Balancers").blocks("sh")
    (give_up,) = section(PAGE, "If it does not get ready").blocks("sh")
    (update,) = section(PAGE, "Updating longshore").blocks("sh")
    (back,) = section(PAGE, "Back").blocks("sh")
    first = start(engine)
    with ExitStack() as stack:
        machine = stack.enter_context(Balancing(series, engine, etcd))
        until(lambda: machine.types("curl -sS --fail http://127.0.0.1:8000/ || true"), what="docker-discover serves")
        load = stack.enter_context(Load(port=8000, rate=200, keep=False))
        *begin, status = register.splitlines()
        machine.types(*begin)
        until((machine.state / "register.sock").exists, what="the registrar is there")
        until(lambda: first.id[:12] in machine.types(status), what="it is registered by longshore too")
        said = machine.types(look)
        assert first.id[:12] in said
        load.more(100)
        kept = stack.enter_context(Load(port=8000, rate=50))
        machine.types("systemctl start longshore", give_up)
        load.more(100)
        said = machine.types(there)
        assert said.count("all new connections come here, the other may be stopped") == 1, said
        machine.types(then)
        load.more(100)
        kept.stop()
        second = start(engine)
        machine.types("longshore wait whoami=2")
        first.stop()
        load.more(100)
        pid = (machine.root / "longshore.main").read_text()
        machine.types(update)
        until(lambda: (machine.root / "longshore.main").read_text() != pid, what="the next one is started")
        serves = "longshore wait whoami=1 && echo serves || true"
        until(lambda: "serves" in machine.types(serves), what="the next one serves")
        load.more(100)
        try:
            machine.types(back)
        finally:
            MIGRATE.write_text("0\n")
        load.more(200)
        load.stop()
    assert kept.report.lost == 0, kept.report
    assert load.report.lost == 0, load.report
    assert set(load.report.by) == {first.short, second.short}
