"""docs/migrate/registrator.md, typed as it is written, with a real engine and Consul, while a balancer serves.

registrator is a stand-in that writes what it writes (`tests.lab.registrator`). Every request is counted: registrator
alone, both, longshore alone, and back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.consul import Consul
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.machine import Machine, section
from tests.lab.waiting import until
from tests.lab.whoami import start

pytestmark = pytest.mark.system
PAGE = "migrate/registrator.md"
DOCKER = """\
#!/bin/sh
case "$*" in
"start registrator") {command} >>{root}/registrator.log 2>&1 & echo $! >{root}/registrator.pid ;;
"update --restart "*" registrator") ;;
"stop registrator") kill $(cat {root}/registrator.pid) && rm {root}/registrator.pid ;;
*) echo "docker $*: what is that?" && exit 1 ;;
esac
"""


@pytest.fixture
def consul(own_network: None) -> Iterator[Consul]:
    with Consul() as agent:
        yield agent


class Registering(Machine):
    """A host with containers, Consul's agent and registrator."""

    def __init__(self, engine: Engine, consul: Consul) -> None:
        agent = consul.address().removeprefix("http://")
        swaps = {"10.0.0.11": engine.gateway, "127.0.0.1:8500": agent}
        super().__init__(programs={}, swaps=swaps, env={"DOCKER_HOST": engine.host})
        self.swaps["/var/lib/longshore"] = str(self.state)
        command = f"{sys.executable} -m tests.lab.registrator {engine.socket} {agent} {engine.gateway}"
        self.put("bin/docker", DOCKER.format(command=command, root=self.root)).chmod(0o755)
        (unit,) = section(PAGE, "Before").blocks("ini")
        self.unit("longshore-register", unit)


def registered(consul: Consul) -> dict[str, Any]:
    """What stands at the agent, without what it adds by itself."""
    found: dict[str, Any] = consul.ask("GET", "agent/services")
    return {key: (row["Service"], row["Address"], row["Port"], row["Tags"], row["Meta"]) for key, row in found.items()}


@oldest_and_newest
def test_the_way_there_and_back(engine: Engine, consul: Consul, balance: Callable[..., Balancer], series: str) -> None:
    check, look = section(PAGE, "Before").blocks("sh")
    there, then = section(PAGE, "There, with Consul").blocks("sh")
    (back,) = section(PAGE, "Back, with Consul").blocks("sh")
    (own,) = section(PAGE, "Your own file").blocks("sh")
    first = start(engine)
    with ExitStack() as stack:
        machine = stack.enter_context(Registering(engine, consul))
        machine.types("docker start registrator")
        until(lambda: len(registered(consul)) == 1, what="registrator has registered it")
        theirs = registered(consul)
        machine.types(check)
        assert machine.types(look).split() == list(theirs)
        assert "metadata: registrator" in machine.types(own)
        port = ports.free()
        picked = {"from": {"source": "consul", "service": "whoami"}, "listen": f"127.0.0.1:{port}", "check": "/"}
        sources = {"consul": {"address": consul.address(), "layout": "registrator"}}
        balancer = balance(series=series, config={"sources": sources, "services": {"whoami": picked}})
        balancer.until_up("whoami", 1)
        load = stack.enter_context(Load(port=port, rate=100, keep=False))
        begin, status = there.splitlines()
        machine.types(begin)
        until((machine.state / "register.sock").exists, what="the registrar is there")
        until(lambda: "held" in machine.types(status), what="it is registered by longshore")
        load.more(100)
        assert registered(consul) == theirs
        machine.types(then)
        second = start(engine)
        balancer.until_up("whoami", 2)
        first.stop()
        balancer.until_up("whoami", 1)
        load.more(100)
        ours = registered(consul)
        machine.types(back)
        assert registered(consul) == ours
        assert [each for each in consul.ask("GET", "agent/checks") if each.startswith("longshore:")] == []
        load.more(200)
        load.stop()
        assert balancer.reloads == 0
    assert load.report.lost == 0, load.report
    assert set(load.report.by) == {first.short, second.short}
