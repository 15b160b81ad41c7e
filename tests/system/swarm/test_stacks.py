"""deploy/swarm on a real Swarm: `docker stack deploy`, and what it serves follows the scale.

Not covered, because this kernel cannot do it: services with a virtual address, and ports published through the ingress.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.lab.authority import Authority
from tests.lab.load import Load
from tests.lab.stack import Stack, StackBalancer
from tests.lab.swarm import Swarm
from tests.lab.waiting import until

pytestmark = pytest.mark.system
FOLDER = ROOT / "deploy" / "swarm"


@pytest.fixture
def secrets(swarm: Swarm, tmp_path: Path) -> Path:
    """The secrets that the stack files ask for; gives what to trust."""
    authority = Authority(tmp_path)
    parts = authority.sign("site", names="DNS:web.localhost")
    (tmp_path / "site.both").write_text("".join(part.read_text() for part in parts))
    (tmp_path / "token").write_text("a-token-for-agents\n")
    for name, file in (("longshore-certificate", "site.both"), ("longshore-token", "token")):
        swarm.manager.docker("secret", "create", name, str(tmp_path / file))
    return authority.ca


def over_tls(balancer: StackBalancer, trusted: Path) -> bytes:
    """Ask for the example by HTTPS and return the answer's first line."""
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection((balancer.address, 443), 10) as plain,
        context.wrap_socket(plain, server_hostname="web.localhost") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(4096).partition(b"\r\n")[0]


@pytest.mark.parametrize(("file", "node"), [("manager", 0), ("agents", 1), ("dns", 2)])
@pytest.mark.usefixtures("images")
def test_a_stack_of_deploy_serves_its_example_and_follows_its_scale(
    swarm: Swarm, secrets: Path, file: str, node: int
) -> None:
    """The balancer is on a manager, where it must be, or on a worker, where it has no manager's socket."""
    with Stack(swarm, FOLDER / f"{file}.yaml", "longshore") as stack:
        balancer = stack.balancer(swarm.nodes[node])
        balancer.serves("web.localhost", 3)
        assert over_tls(balancer, secrets) == b"HTTP/1.1 200 OK"
        with Load(address=balancer.address, port=80, host="web.localhost", rate=40) as traffic:
            for copies in (5, 2):
                stack.scale("web", copies)
                balancer.serves("web.localhost", copies)
            traffic.more(10)
        assert traffic.report.lost == 0, traffic.report
        mounts = {each["Destination"] for each in balancer.container.inspect()["Mounts"]}
        assert not [place for place in mounts if "docker.sock" in place]
        until(lambda: not balancer.status()["problems"], what="nothing is left to say")
