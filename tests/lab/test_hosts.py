"""Hosts of the lab are apart from each other, lose power and cables as real ones do, and leave nothing behind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.etcd import Etcd
from tests.lab.hosts import Hosts
from tests.lab.remains import is_gone
from tests.lab.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("own_network")]
PORT = ("-p", "8000")


@pytest.fixture(scope="module")
def lab(own_network: None) -> Iterator[Hosts]:
    with Hosts(2, engines=1) as hosts:
        yield hosts


@pytest.fixture
def hosts(lab: Hosts) -> Iterator[Hosts]:
    yield lab
    lab.reset()


def fetch(hosts: Hosts, url: str) -> str:
    """Ask from the second host. OSError says what went wrong, in curl's words."""
    try:
        return hosts[1].shell("curl", "-sS", "--max-time", "2", url)
    except RuntimeError as error:
        raise OSError(str(error)) from None


def fails(hosts: Hosts, url: str) -> str:
    """Return what curl says, which must not succeed."""
    with pytest.raises(OSError, match="curl") as caught:
        fetch(hosts, url)
    return str(caught.value)


def test_hosts_reach_each_other_by_their_addresses_only(hosts: Hosts) -> None:
    one, two = hosts
    web = one.run(args=PORT)
    port = web.published()
    assert until(lambda: fetch(hosts, f"http://{one.address}:{port}/")).startswith(f"host={web.short} ")
    assert "exit 7" in fails(hosts, f"http://{two.address}:{port}/"), "a port of one host is no port of the other"
    assert one.shell("hostname").strip() == "h1"
    assert two.shell("hostname").strip() == "h2"
    with Etcd().at(hosts.address) as etcd:
        assert "etcdserver" in fetch(hosts, f"{etcd.endpoints[0]}/version")


def test_a_cut_cable_silences_and_a_healed_one_speaks(hosts: Hosts) -> None:
    web = hosts[0].run(args=PORT)
    url = f"http://{hosts[0].address}:{web.published()}/"
    until(lambda: fetch(hosts, url))
    hosts[0].cut()
    assert "timed out" in fails(hosts, url) or "No route" in fails(hosts, url)
    hosts[0].heal()
    until(lambda: fetch(hosts, url))


def test_a_frozen_host_accepts_and_says_nothing(hosts: Hosts) -> None:
    web = hosts[0].run(args=PORT)
    url = f"http://{hosts[0].address}:{web.published()}/"
    until(lambda: fetch(hosts, url))
    process = hosts[0].popen(["sleep", "600"])
    hosts[0].pause()
    assert "timed out" in fails(hosts, url)
    assert (Path("/proc") / str(process.inner) / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    hosts[0].resume()
    assert fetch(hosts, url)
    process.terminate()
    assert process.wait(30)


def test_a_power_cut_ends_everything_at_once_and_the_disk_stays(hosts: Hosts) -> None:
    one = hosts[0]
    always = one.run("always", args=(*PORT, "--restart", "always"))
    never = one.run("never")
    process = one.popen(["sleep", "600"])
    inside = [process.inner, always.pid, never.pid]
    identity = one.api.get("/info")["ID"]
    one.power_off()
    assert all(is_gone(pid) for pid in inside)
    assert process.poll() is not None
    one.start()
    assert one.api.get("/info")["ID"] == identity
    until(lambda: always.status == "running")
    assert never.status == "exited"
    url = f"http://{one.address}:{always.published()}/"
    until(lambda: fetch(hosts, url))


def test_a_frozen_host_can_be_switched_off(hosts: Hosts) -> None:
    process = hosts[0].popen(["sleep", "600"])
    hosts[0].pause()
    hosts[0].power_off()
    assert process.poll() is not None


def test_signals_reach_the_process_on_the_host(hosts: Hosts) -> None:
    said = ["bash", "-c", "trap 'echo got; exit 7' TERM; echo ready; while :; do sleep 0.05; done"]
    process = hosts[1].popen(said, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.communicate(timeout=30)[0] == b"got\n"
    assert process.returncode == 7


def test_hosts_leave_nothing_behind() -> None:
    with Hosts(1) as hosts:
        one = hosts[0]
        web = one.run()
        process = one.popen(["sleep", "600"])
        pids = [web.pid, process.inner, one.popen(["sleep", "600"]).inner]
        folder, net = hosts.folder, hosts.net
    assert all(is_gone(pid) for pid in pids)
    assert not folder.exists()
    assert net not in subprocess.run(["ip", "addr"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/{folder.name}"))
