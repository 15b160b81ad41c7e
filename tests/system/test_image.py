"""The image in a real engine: hardened, balanced, signalled, and with its parts killed, under load that is counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.lab.balancer import Answer
from tests.lab.boxed import HARDENED, Boxed, load
from tests.lab.engine import Engine, newest_docker
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.labelling import labels

pytestmark = pytest.mark.system

WEB = labels("web", host="web.test")


@pytest.fixture
def boxed(engine: Engine) -> Iterator[Boxed]:
    found = Boxed(engine)
    yield found
    print(f"--- log of longshore in its container\n{found.log()}")  # noqa: T201 - pytest shows it when the test failed


def test_it_needs_nothing_that_it_should_not_have(engine: Engine, boxed: Boxed) -> None:
    """Not root, nothing to write on but its folders, one capability that may be had, well by its own HEALTHCHECK."""
    one, two = engine.run(labels=WEB), engine.run(labels=WEB)
    assert boxed.serves("web.test", 2) == {one.short, two.short}
    assert boxed.status()["problems"] == []
    assert boxed.inside("id", "-u") == "10001"
    assert "Read-only" in engine.docker("exec", boxed.container.id, "sh", "-c", "touch /opt/x 2>&1 || true")
    said = dict(line.split(":\t", 1) for line in boxed.inside("cat", "/proc/1/status").splitlines() if ":\t" in line)
    assert (said["CapEff"], said["CapBnd"], said["NoNewPrivs"]) == ("0" * 16, f"{1 << 10:016x}", "1")
    assert "ready" in boxed.inside("longshore", "status")
    until(lambda: boxed.container.inspect()["State"]["Health"]["Status"] == "healthy", 60, "it is healthy")
    page = boxed.request(port=8404)
    assert (page.status, "HAProxy" in page.text) == (200, True)
    assert boxed.request(port=8404, path="/metrics").text.startswith("# HELP haproxy")
    config = boxed.container.inspect()["Config"]
    assert config["Labels"]["org.opencontainers.image.title"] == "longshore"
    assert config["Labels"]["org.opencontainers.image.version"] in boxed.inside("longshore", "version")
    assert not [each for each in boxed.inside("sh", "-c", "cat /proc/[0-9]*/stat").splitlines() if ") Z " in each]
    assert boxed.container.inspect()["GraphDriver"]["Name"] in {"overlay2", "overlayfs", "vfs"}


def test_hup_reads_again_and_what_is_killed_inside_comes_back_without_a_lost_request(
    engine: Engine, boxed: Boxed
) -> None:
    one, two = engine.run(labels=WEB), engine.run(labels=WEB)
    assert boxed.serves("web.test", 2) == {one.short, two.short}
    (pid_one, agent), haproxy = boxed.processes("longshore up"), boxed.processes("haproxy -W")
    assert pid_one == 1
    with Load(address=boxed.address, port=80, host="web.test", rate=100) as traffic:
        traffic.more(20)
        boxed.container.kill("HUP")
        until(lambda: "read again" in boxed.log(), what="it has been read again")
        boxed.inside("sh", "-c", f"kill -9 {agent}")
        until(lambda: len(boxed.processes("longshore up")) == 2, what="longshore is started again")
        boxed.until_ready()
        assert boxed.processes("haproxy -W") == haproxy, "HAProxy went on"
        three = engine.run(labels=WEB)
        assert boxed.serves("web.test", 3) == {one.short, two.short, three.short}
        traffic.more(20)
    assert traffic.report.lost == 0, traffic.report
    assert "killed by SIGKILL" in boxed.log()
    for pid in haproxy:
        engine.docker("exec", boxed.container.id, "sh", "-c", f"kill -9 {pid}", check=False)
    assert boxed.serves("web.test", 3) == {one.short, two.short, three.short}
    assert set(boxed.processes("haproxy -W")).isdisjoint(haproxy)
    assert boxed.container.inspect()["RestartCount"] == 0


@pytest.mark.parametrize("orphaned", [False, True])
def test_at_the_end_running_requests_finish_also_when_haproxy_was_left_alone(
    engine: Engine, boxed: Boxed, orphaned: bool
) -> None:
    engine.run(labels=WEB)
    boxed.serves("web.test", 1)
    answers = list[Answer]()
    slow = threading.Thread(target=lambda: answers.append(boxed.request("web.test", "/slow?3000")))
    slow.start()
    until(boxed.busy, what="the request is on its way")
    if orphaned:
        boxed.inside("sh", "-c", f"kill -9 {boxed.processes('longshore up')[-1]}")
    boxed.container.stop(10)
    slow.join()
    assert [answer.status for answer in answers] == [200]
    state = boxed.container.inspect()["State"]
    assert (state["Running"], state["ExitCode"] != 0) == (False, orphaned)
    assert not orphaned or "HAProxy is still there" in boxed.log() or "started again" in boxed.log()


def test_what_cannot_work_ends_at_once_and_says_why(engine: Engine) -> None:
    """Process 1 starts again only what left HAProxy behind: for the rest there is the container's restart policy."""
    boxed = Boxed(engine, env={"LONGSHORE_FRONTENDS_HTTP_BIND": "nonsense"}, ready=False)
    until(lambda: boxed.container.status == "exited", what="it ends")
    assert boxed.container.inspect()["State"]["ExitCode"] == 1
    assert "nonsense" in boxed.log()
    boxed.container.rm()
    version = engine.docker("run", "--rm", load(engine), "version", "--json")
    assert json.loads(version)["longshore"]
    assert "Usage: longshore" in engine.docker("run", "--rm", load(engine), "--help")


def test_in_the_hosts_network_it_has_port_80_by_its_one_capability(engine: Engine) -> None:
    """There no_new_privileges must be left out: it would take the capability from HAProxy's file."""
    args = [each for each in HARDENED if each not in ("--security-opt", "no-new-privileges")]
    boxed = Boxed(engine, args=(*args, "--network", "host"))
    one = engine.run(labels=WEB)
    assert boxed.serves("web.test", 1) == {one.short}
    assert boxed.status()["problems"] == []


def test_the_newest_engine(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine(tree=newest_docker())
    boxed = Boxed(engine)
    one = engine.run(labels=WEB)
    with Load(address=boxed.address, port=80, host="web.test", rate=50) as traffic:
        boxed.serves("web.test", 1)
        two = engine.run(labels=WEB)
        assert boxed.serves("web.test", 2) == {one.short, two.short}
    boxed.container.stop(10)
    assert boxed.container.inspect()["State"]["ExitCode"] == 0
    assert traffic.report.sent
