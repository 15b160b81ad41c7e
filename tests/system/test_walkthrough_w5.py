"""Walk-through W5: HAProxy itself in a container, told by hand; and what longshore makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.boxed import HARDENED, Boxed
from tests.lab.engine import Engine
from tests.lab.load import Load
from tests.lab.waiting import until

pytestmark = pytest.mark.system

BY_NAME = """\
frontends: {http: ":80"}
admin: {bind: "off"}
haproxy: {stats: ":8404", access-log: true}
sources: {}
services:
  echo:
    host: "*"
    endpoints: ["web1:8080", "web2:8080", "web3:8080"]
"""
PORTS = ("--network", "mynetwork", "--publish", "80:80", "--publish", "8404:8404")


def test_three_servers_by_name_then_found_by_themselves(engine: Engine, tmp_path: Path) -> None:
    """A bridge, three echo servers on 8080, nothing published but the balancer: 80 and 8404; HUP under load."""
    engine.network("mynetwork")
    names = ["web1", "web2", "web3"]
    for name in names:
        engine.run(name, env={"PORT": "8080", "NAME": name}, args=("--network", "mynetwork"))
    config = tmp_path / "longshore.yaml"
    config.write_text(BY_NAME)
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o755)
    mounted = ("--volume", f"{config}:/etc/longshore/longshore.yaml:ro")

    boxed = Boxed(engine, args=(*HARDENED, *PORTS, *mounted))
    assert boxed.serves("any.test", 3, address="127.0.0.1") == set(names)
    assert "Statistics Report" in boxed.request(port=8404, address="127.0.0.1").text
    with Load(port=80, host="any.test", rate=100) as traffic:
        traffic.more(30)
        engine.docker("kill", "-s", "HUP", "longshore")
        until(lambda: "read again" in boxed.log(), what="it has been read again")
        engine.docker("exec", "longshore", "longshore", "reload")
        traffic.more(30)
    assert traffic.report.lost == 0, traffic.report
    assert len(traffic.report.by) == 3
    until(lambda: "GET / HTTP/1.1" in boxed.log(), what="the access log is on standard output")
    boxed.container.stop(10)
    boxed.container.rm()

    # Then: no list of names. What has a label is found, and HUP is not needed for anything.
    found = [
        engine.run(labels={"longshore.host": "any.test", "longshore.port": "8080"}, env={"PORT": "8080"},
                   args=("--network", "mynetwork")).short
        for _ in range(3)
    ]  # fmt: skip
    boxed = Boxed(engine, args=(*HARDENED, *PORTS))
    assert boxed.serves("any.test", 3, address="127.0.0.1") == set(found)
    assert boxed.status()["haproxy"]["reloads"] == 0
