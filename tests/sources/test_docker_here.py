"""Where longshore itself runs: read from the kernel's files, confirmed by the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.clients.docker import DockerClient
from longshore.core.address import Here
from longshore.sources import docker_here
from longshore.sources.docker_here import Place, find_here, find_place, own_ids
from tests.clients.fake_engine import FakeEngine, container_id, serving
from tests.sources.docker_watching import watching

ID = "0123456789ab" * 5 + "cdef"
OTHER = "f" * 64
MOUNTINFO = f"""\
512 480 0:45 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/{OTHER}
530 512 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw
"""


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "hostname", "ids"),
    [
        (MOUNTINFO, "0::/\n", "web", (ID,)),
        ("", f"12:pids:/docker/{ID}\n0::/system.slice/containerd.service\n", "web", (ID,)),
        ("", f"0::/system.slice/docker-{ID}.scope\n", "web", (ID,)),
        ("", f"1:cpu:/docker/{OTHER}/docker/{ID}\n", "web", (ID,)),
        ("", "0::/\n", ID[:12], (ID[:12],)),
        (MOUNTINFO, f"1:cpu:/docker/{ID}\n", ID[:12], (ID, ID[:12])),
        ("", "0::/user.slice\n", "laptop", ()),
        (f"9 1 0:4 /var/lib/docker/containers/{ID}/mounts/shm /dev/shm rw - tmpfs shm rw\n", "", "host", ()),
        ("", "", "", ()),
    ],
)
def test_the_kernel_tells_which_container_we_are(
    mountinfo: str, cgroup: str, hostname: str, ids: tuple[str, ...]
) -> None:
    assert own_ids(mountinfo, cgroup, hostname) == ids


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def inside(monkeypatch: pytest.MonkeyPatch, identity: str) -> None:
    """Pretend that this process runs in a container."""
    monkeypatch.setattr(docker_here, "own_ids", lambda *_: (identity,))


async def place(engine: FakeEngine, tmp_path: Path) -> Place:
    async with serving(engine, tmp_path / "s") as host, DockerClient(host) as client:
        assert await find_here(client) == (await find_place(client)).here
        return await find_place(client)


async def test_on_the_engines_host(engine: FakeEngine, tmp_path: Path) -> None:
    assert await place(engine, tmp_path) == Place(Here())


async def test_networks_that_bypass_the_host_are_known(engine: FakeEngine, tmp_path: Path) -> None:
    engine.networks = {"1" * 64: "bridge", "2" * 64: "macvlan", "3" * 64: "overlay", "4" * 64: "host"}
    assert (await place(engine, tmp_path)).here.beyond == {"2" * 64, "3" * 64}


async def test_a_proxy_may_hide_the_networks(engine: FakeEngine, tmp_path: Path) -> None:
    engine.refuse["/networks"] = (403, "denied")
    assert await place(engine, tmp_path) == Place(Here())


async def test_a_new_network_that_bypasses_the_host_gives_no_address(engine: FakeEngine, tmp_path: Path) -> None:
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until_current()
        web = engine.add("web")
        lan = {"NetworkID": "2" * 64, "IPAddress": "192.168.7.5"}
        engine.containers[web]["NetworkSettings"]["Networks"] = {"lan": lan}
        engine.emit("connect", web, kind="network", network="2" * 64, type="macvlan")
        engine.emit("start", web)
        await seen.until(lambda: seen.last.problems)
        assert seen.endpoint("web") is None
        assert "lan" in seen.last.problems[0].what


async def test_in_a_container_its_networks_are_ours(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = engine.add("longshore")
    inside(monkeypatch, us)
    here = Here(frozenset({"bridge", "n" * 64}), in_container=True, container=us, gateway="172.18.0.1")
    assert await place(engine, tmp_path) == Place(here, us)


async def test_in_a_container_on_the_hosts_network(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = engine.add("longshore", network_mode="host")
    inside(monkeypatch, us)
    assert (await place(engine, tmp_path)).here == Here(in_container=True, host_network=True, container=us)


async def test_a_container_that_joined_anothers_network_has_its_networks(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = engine.add("haproxy")
    us = engine.add("longshore", network_mode=f"container:{other}")
    engine.containers[us]["NetworkSettings"]["Networks"] = {}
    inside(monkeypatch, us)
    found = await place(engine, tmp_path)
    assert (found.container, found.here.container) == (other, us)
    assert "bridge" in found.here.networks


async def test_an_id_of_another_engine_is_not_ours(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container, but the engine is inside of it too, or this host is itself a container of another engine."""
    inside(monkeypatch, OTHER)
    assert not (await place(engine, tmp_path)).here.in_container


async def test_a_host_name_that_only_looks_like_an_id_is_not_ours(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.containers[engine.add("web")]["Config"]["Hostname"] = "renamed"
    inside(monkeypatch, container_id("web")[:12])
    assert not (await place(engine, tmp_path)).here.in_container


async def test_an_engine_on_a_port_of_this_machine_is_local(engine: FakeEngine) -> None:
    async with serving(engine) as host, DockerClient(host) as client:
        assert (await find_here(client)).remote == ""


async def test_a_balancer_that_joins_a_network_reaches_its_containers(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = engine.add("longshore", labels={})
    inside(monkeypatch, us)
    web = engine.containers[engine.add("web")]
    shop = {"NetworkID": "5" * 64, "IPAddress": "172.20.0.5", "GlobalIPv6Address": ""}
    web["NetworkSettings"]["Networks"] = {"shop": shop}
    async with serving(engine, tmp_path / "s") as host, watching(host) as seen:
        await seen.until_current()
        assert seen.endpoint("web") is None
        engine.containers[us]["NetworkSettings"]["Networks"]["shop"] = shop | {"IPAddress": "172.20.0.6"}
        engine.emit("connect", us, kind="network")
        await seen.until(lambda: seen.endpoint("web"))
        endpoint = seen.endpoint("web")
        assert endpoint is not None
        assert endpoint.address == "172.20.0.5"
