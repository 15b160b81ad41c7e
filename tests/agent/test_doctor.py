"""What the doctor says of registries, this machine and Compose files: the trouble, where it is, and the cure."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from longshore.agent.doctor import machine, servers
from longshore.agent.doctor.clock import difference, moment
from longshore.agent.doctor.compose import compose
from longshore.agent.doctor.entries import entries
from longshore.agent.doctor.finding import Finding
from longshore.agent.registry_read import Reading
from longshore.clients.registry_faults import RegistryError
from longshore.config.haproxy import HaproxyConfig
from longshore.config.registries import ConsulSource, EtcdSource, ZookeeperSource
from longshore.config.schema import AdminConfig, Config, FrontendConfig
from longshore.sources.answering import Answer
from longshore.sources.registered import Adapter
from tests.sources.registry_watching import OPTIONS, PREFIX, Registry, entry

NOW = 1_000_000.0


class Stub(Reading):
    """A reading of what the test says stands there."""

    registry: Registry

    def adapter(self) -> Adapter:
        return self.registry


def reading(registry: Registry) -> Reading:
    found = Stub("etcd", EtcdSource(), OPTIONS)
    object.__setattr__(found, "registry", registry)
    return found


def said(findings: list[Finding], *, fine: bool = False) -> list[str]:
    return [f"{finding.where}: {finding.what}" for finding in findings if finding.fine is fine]


async def look(registry: Registry, open_ports: tuple[int, ...] = (80,)) -> list[Finding]:
    async def answer(address: str, port: int) -> Answer:
        return "open" if port in open_ports else "refused" if port < 1000 else "silent"

    bridges = [ipaddress.ip_network("192.168.99.0/24")]
    return await entries(
        reading(registry),
        lambda text: None,
        ask=answer,
        now=NOW,
        here="host1",
        bridges=bridges,  # type: ignore[arg-type]
    )


async def test_good_entries_are_said_in_a_line() -> None:
    found = await look(Registry(web_a=entry(), web_b=entry("10.0.0.6")))
    assert said(found) == []
    assert said(found, fine=True) == ["etcd: 1 service, 2 endpoints, all accept connections from here"]


async def test_endpoints_that_do_not_answer_are_named_with_their_keeper() -> None:
    found = await look(Registry(web_a=entry(port=81, owner="host1.aa"), web_b=entry("10.0.0.6", 8000)))
    assert said(found) == [
        f"etcd {PREFIX}/web/a: 10.0.0.5:81 refuses connections",
        f"etcd {PREFIX}/web/b: 10.0.0.6:8000 does not answer from here",
    ]
    assert "host1.aa keeps it" in found[0].hint


@pytest.mark.parametrize(
    ("host", "runs_on", "what"),
    [
        ("127.0.0.1", "host1", "is an address that every host has itself"),
        ("::1", "", "is an address that every host has itself"),
        ("0.0.0.0", "host2", "is an address that every host has itself"),
        ("169.254.1.1", "host2", "is valid on one network segment only"),
        ("172.17.0.2", "host2", "is of a container network, and runs on host2"),
        ("192.168.99.7", "host2", "is of a container network, and runs on host2"),
        ("172.17.0.2", "host1", ""),
        ("172.17.0.2", "", ""),
        ("10.0.0.5", "host2", ""),
        ("vm1.internal", "host2", ""),
    ],
)
async def test_addresses_that_other_hosts_cannot_reach(host: str, runs_on: str, what: str) -> None:
    found = said(await look(Registry(web_a=entry(host, machine=runs_on))))
    assert len(found) == bool(what)
    assert what in "".join(found)


async def test_broken_twice_registered_and_future_entries() -> None:
    two = {"web_a": entry(owner="host1.aa"), "web_b": entry(owner="host2.bb")}
    found = said(await look(Registry(**two, web_bad=b"rubbish", api_late=entry("10.0.0.7", since=NOW + 3600))))
    assert f"etcd {PREFIX}/api/late: was registered in 3600 s: in the future" in found
    assert f'etcd {PREFIX}/web/bad: is not JSON: "rubbish"' in found
    assert any("has the same address as" in each for each in found)
    assert any("is registered by several hosts as theirs: host1.aa, host2.bb" in each for each in found)


async def test_what_is_wrong_a_thousand_times_is_said_a_few_times() -> None:
    registry = Registry(**{f"web_{number}": entry(f"10.0.{number // 250}.{number % 250}", 81) for number in range(500)})
    found = said(await look(registry))
    assert len(found) == 21
    assert found[-1] == "etcd: 480 more of these"


async def test_a_registry_that_cannot_be_listed() -> None:
    registry = Registry()
    registry.away = RegistryError("etcd wants a user", "set username and password-file")
    (found,) = await look(registry)
    assert (found.where, found.what, found.hint, found.fine) == (
        "etcd",
        "etcd wants a user",
        "set username and password-file",
        False,
    )


@pytest.mark.parametrize(
    ("theirs", "apart"),
    [(0.0, 0.0), (99.0, 0.0), (100.0, 0.0), (101.0, 0.0), (130.0, 28.5), (80.0, -19.0)],
)
def test_clocks_are_compared_as_well_as_whole_seconds_allow(theirs: float, apart: float) -> None:
    assert difference(theirs, asked=100.0, answered=101.5) == apart


def test_dates_that_make_no_sense_say_nothing() -> None:
    assert moment("Thu, 01 Jan 1970 00:01:00 GMT") == 60.0
    assert moment("yesterday") == moment("") == 0.0


@asynccontextmanager
async def http(answers: dict[str, str], date: str = "") -> AsyncIterator[str]:
    """An HTTP server that says what the test says."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path, "").encode()
            self.send_response_only(200 if body else 404)
            self.send_header("Date", date or self.date_time_string())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(30)


async def test_etcd_says_its_version_and_its_clock_is_compared() -> None:
    async with http({"/version": '{"etcdserver": "3.5.16"}'}) as good:
        found = await servers.etcd("etcd", EtcdSource(endpoints=(good, "http://127.0.0.1:1")))
    assert said(found, fine=True) == ["etcd: 1 of 2 members answer: etcd 3.5.16"]
    assert [each.where for each in found if not each.fine] == ["etcd http://127.0.0.1:1"]
    async with http({"/version": '{"etcdserver": "3.3.1"}'}, "Thu, 01 Jan 2015 00:00:00 GMT") as old:
        found = await servers.etcd("etcd", EtcdSource(endpoints=(old,)))
    assert "behind this host's" in said(found)[0]
    assert "is etcd 3.3.1, which is too old" in said(found)[1]
    sick = '{"health": "false", "reason": "NO LEADER"}'
    async with http({"/version": '{"etcdserver": "3.5.16"}', "/health": sick}) as lost:
        found = await servers.etcd("etcd", EtcdSource(endpoints=(lost,)))
    assert said(found) == [f"etcd {lost}: answers, but does not serve: no leader"]
    async with http({}) as other:
        found = await servers.etcd("etcd", EtcdSource(endpoints=(other,)))
    assert "is not etcd" in said(found)[0]


async def test_consul_says_whether_it_has_a_leader() -> None:
    itself = json.dumps({"Config": {"Version": "1.8.7"}})
    async with http({"/v1/status/leader": '"10.0.0.1:8300"', "/v1/agent/self": itself}) as good:
        found = await servers.consul("consul", ConsulSource(address=good))
    assert said(found, fine=True) == ["consul: the agent answers, its cluster has a leader: Consul 1.8.7"]
    async with http({"/v1/status/leader": '""'}) as lost:
        found = await servers.consul("consul", ConsulSource(address=lost))
    assert said(found)[0].endswith("has no leader")


@pytest.mark.parametrize(
    ("answer", "what", "fine"),
    [
        ("Zookeeper version: 3.8.0-5a02a05, built on 2022\nMode: standalone\n", "ZooKeeper 3.8.0 standalone", True),
        (
            "Zookeeper version: 3.4.14-x, built on 2019\nMode: follower\n",
            "older than anything longshore was tried",
            False,
        ),
        ("This ZooKeeper instance is not currently serving requests\n", "has lost its quorum", False),
        ("srvr is not executed because it is not in the whitelist.\n", "ZooKeeper", True),
        ("HTTP/1.1 400 Bad Request\r\n", "is not ZooKeeper", False),
    ],
)
async def test_zookeeper_says_its_version_and_whether_it_serves(answer: str, what: str, *, fine: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(answer.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await servers.zookeeper("zookeeper", ZookeeperSource(hosts=(f"127.0.0.1:{port}",)))
    assert len(found) == 1
    assert found[0].fine is fine
    assert what in found[0].what


async def test_zookeeper_that_does_not_run_is_said_in_words() -> None:
    found = await servers.zookeeper("zookeeper", ZookeeperSource(hosts=("127.0.0.1:1",)))
    assert [finding.what for finding in found] == ["cannot be reached: connection refused"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for sockets, wherever pytest has its own."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_the_state_directory(folder: Path) -> None:
    def about(state: Path) -> Finding:
        (found,) = machine.state_dir(Config(state_dir=state))
        return found

    assert about(folder).fine
    assert about(folder / "new").what == f"is made at the start, in {folder}"
    (folder / "file").write_text("")
    assert "is no folder" in about(folder / "file" / "state").what
    assert "choose a shorter path" in about(folder / ("x" * 100)).hint


def test_addresses_that_somebody_has() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = Config(frontends={"http": FrontendConfig(bind=(address,))}, admin=AdminConfig(bind="off"))
        (found,) = machine.ports(config, serves=False)
        assert f"address {address}" in found.where
        assert "listens there already" in found.what
        (found,) = machine.ports(config, serves=True)
        assert found.fine


COMPOSE = """\
x-common: &common
  image: web
services:
  web:
    <<: *common
    labels:
      longshore.host: "${HOST:-shop.localhost}"
      longshore.wieght: "5"
  api:
    <<: *common
    ports: ["8080:80", "9090:90"]
    labels: [longshore.path=/api, other=1]
  many:
    image: web
    expose: [8000]
    labels:
      longshore.enable: true
      longshore.front.host: a.test
      longshore.queue.tcp: ":5672"
      longshore.queue.port: "5672"
  worker:
    image: web
"""


def test_a_compose_file_is_read_as_compose_would(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(COMPOSE)
    found = compose(file, {"COMPOSE_PROJECT_NAME": "shop"})
    assert said(found) == [
        f"{file}:8: service web: label longshore.wieght: unknown key; did you mean weight?",
        f"{file}: service api: has several ports (80, 90) and no label says which",
        f"{file}:17: service many: label longshore.enable: Compose wants text",
    ]
    assert said(found, fine=True) == [
        f"{file}: service many: front: a.test/, port 8000",
        f"{file}: service many: queue: :5672 (TCP), port 5672",
    ]
    file.write_text(COMPOSE.replace("wieght", "weight").replace("true", '"false"').replace(', "9090:90"', ""))
    found = compose(file, {"COMPOSE_PROJECT_NAME": "shop", "HOST": "b.test"})
    assert said(found) == []
    assert said(found, fine=True) == [
        f"{file}: service web: shop-web: b.test/, port as the image exposes it",
        f"{file}: service api: shop-api: */api, port 80",
        f"{file}: service many: is switched off by its labels",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: [", "is not valid YAML"),
        ("a: 1", "has no services"),
        ("services: {web: {image: x}}", "no service has a label"),
    ],
)
def test_files_that_are_no_compose_files(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    (found,) = compose(file, {})
    assert what in found.what
    assert found.hint
    assert "cannot be read" in compose(tmp_path / "missing.yaml", {})[0].what


def test_an_address_that_another_haproxy_shares_is_fine_with_share_ports() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for share in (False, True):
            config = Config(
                frontends={"http": FrontendConfig(bind=(address,))},
                admin=AdminConfig(bind="off"),
                haproxy=HaproxyConfig(share_ports=share),
            )
            (found,) = machine.ports(config, serves=False)
            assert (found.fine, "is taken over" in found.what) == (share, share)
