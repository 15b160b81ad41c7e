"""Many copies that come and leave together, and balancers that are updated themselves, under load."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.lab import ports
from tests.lab.authority import Authority
from tests.lab.haproxy import haproxy
from tests.lab.load import Load
from tests.lab.stack import Stack
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

pytestmark = pytest.mark.system

MANY, FEW = 50, 2
LABELS = {"longshore.host": "a.test", "longshore.port": "8000", "longshore.retries": str(MANY)}
FRONT = """\
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    retries 6
    retry-on conn-failure empty-response
    option redispatch 1
frontend front
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
{servers}
"""


@pytest.mark.parametrize("source", ["agents", "swarm"])
def test_0_to_50_to_0(swarm: Swarm, request: pytest.FixtureRequest, source: str) -> None:
    """Apps that close at once, 48 of them together: who is refused by one is sent on, until one is there."""
    balancer = request.getfixturevalue(f"balance_{source}")()
    labels = [word for pair in LABELS.items() for word in ("--container-label", "=".join(pair))]
    swarm.create("web", "--replicas", "0", *labels)
    swarm.scale("web", MANY)
    balancer.until_up("web", MANY)
    address = balancer.address
    with Load(port=balancer.port, address=address, host="a.test", rate=200) as load:
        load.more(2 * MANY)
        swarm.scale("web", FEW)
        balancer.until_up("web", FEW)
        load.more(50)
    assert load.report.lost == 0, load.report
    assert len(load.report.by) == MANY
    swarm.scale("web", 0)
    balancer.until_up("web", 0)
    assert balancer.request("a.test").status == 503


@contextmanager
def in_front(folder: Path, addresses: list[str]) -> Iterator[int]:
    """Somebody's balancer before the nodes, which tries another node when one refuses; gives its port."""
    port = ports.free()
    servers = "\n".join(f"    server n{number} {address}:80" for number, address in enumerate(addresses))
    config = folder / "front.cfg"
    config.write_text(FRONT.format(port=port, servers=servers))
    process = subprocess.Popen([haproxy("3.4"), "-f", config])
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.usefixtures("images")
def test_balancers_are_updated_node_by_node(swarm: Swarm, tmp_path: Path) -> None:
    """A node's port is one task's: it refuses for a moment, breaks off nothing; who tries another node is served."""
    parts = Authority(tmp_path).sign("site", names="DNS:web.localhost")
    (tmp_path / "site.both").write_text("".join(part.read_text() for part in parts))
    (tmp_path / "token").write_text("a-token-for-agents\n")
    for name, file in (("longshore-certificate", "site.both"), ("longshore-token", "token")):
        swarm.manager.docker("secret", "create", name, str(tmp_path / file))
    with Stack(swarm, ROOT / "deploy" / "swarm" / "agents.yaml", "longshore") as stack, ExitStack() as more:
        before = [stack.balancer(node) for node in swarm.nodes]
        for balancer in before:
            balancer.serves("web.localhost", 3)
        port = more.enter_context(in_front(tmp_path, [node.address for node in swarm.nodes]))
        direct = [
            Load(port=80, address=node.address, host="web.localhost", rate=20, keep=False) for node in swarm.nodes
        ]
        with Load(port=port, host="web.localhost", rate=100) as behind, ExitStack() as loads:
            for each in direct:
                loads.enter_context(each)
            swarm.update("longshore_longshore", "--force", "--update-delay", "1s")
            after = [stack.balancer(node) for node in swarm.nodes]
            for balancer in after:
                balancer.serves("web.localhost", 3)
        assert behind.report.lost == 0, behind.report
        for each in direct:
            assert set(each.report.classes) <= {"ok", "refused"}, each.report
        assert not {each.container.id for each in before} & {each.container.id for each in after}
        until(lambda: not any(each.status()["problems"] for each in after), what="nothing is left to say")
