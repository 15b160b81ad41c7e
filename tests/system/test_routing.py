"""Which service answers a request: hosts, paths, addresses of their own, several services in one container."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.waiting import until
from tests.system.labelling import labels, labels_of

pytestmark = pytest.mark.system


@pytest.fixture(scope="module", params=["2.6", "3.4"])
def shared(request: pytest.FixtureRequest, _engine: Engine) -> Iterator[Balancer]:
    with Balancer(engine=_engine, series=request.param, config={"haproxy": {"spare-slots": 40}}) as balancer:
        yield balancer


@pytest.fixture
def balancer(shared: Balancer, engine: Engine) -> Iterator[Balancer]:
    """One balancer of each version for the whole file: tests use hosts and services of their own."""
    assert engine.containers() == []
    yield shared
    print(shared.log_text()[-20000:])  # noqa: T201 - pytest shows it when the test failed


SERVICES: dict[str, dict[str, object]] = {
    "exact": {"host": "a.test"},
    "listed": {"host": "b.test, c.test"},
    "wild": {"host": "*.w.test"},
    "wilder": {"host": "*.x.w.test"},
    "api": {"host": "a.test", "path": "/api"},
    "deep": {"host": "a.test", "path": "/api/v1"},
    "just": {"host": "a.test", "path": "=/api, =/about"},
    "everywhere": {"path": "/everywhere"},
    "plain": {},
}

REQUESTS = [
    ("a.test", "/", "exact"),
    ("A.test:8080", "/index?q=/api", "exact"),
    ("a.test", "/apix", "exact"),
    ("a.test", "/api", "just"),
    ("a.test", "/about?x=1", "just"),
    ("a.test", "/about/us", "exact"),
    ("a.test", "/api/", "api"),
    ("a.test", "/api/v2", "api"),
    ("a.test", "/api/v1", "deep"),
    ("a.test", "/api/v1/x", "deep"),
    ("b.test", "/", "listed"),
    ("c.test", "/x", "listed"),
    ("y.w.test", "/", "wild"),
    ("z.y.w.test", "/", "wild"),
    ("y.x.w.test", "/", "wilder"),
    ("plain.localhost", "/", "plain"),
    ("nobody.test", "/everywhere/x", "everywhere"),
    ("w.test", "/", ""),
    ("nobody.test", "/", ""),
]


def test_requests_go_to_the_most_specific_route(balancer: Balancer, engine: Engine) -> None:
    """Nine services in one container, a default one last; nothing is reloaded. Gone, they are 503, others 404."""
    reloads = balancer.reloads
    assert balancer.request("a.test").status == 404
    numbers = {name: 8000 + number for number, name in enumerate(SERVICES)}
    said = {
        key: value
        for name, keys in SERVICES.items()
        for key, value in labels_of(name, port=numbers[name], **keys).items()
    }
    many = engine.run("many", labels=said, env={"PORT": ",".join(map(str, numbers.values()))})
    for name in SERVICES:
        balancer.until_up(name, 1)
    for host, path, service in REQUESTS:
        answer = balancer.request(host, path)
        if service:
            assert (answer.status, f"port={numbers[service]} " in answer.text) == (200, True), f"{host}{path}: {answer}"
        else:
            assert answer.status == 404, f"{host}{path}: {answer}"
        query = urlencode({"url": f"http://{host.partition(':')[0]}{path}"})
        explained = balancer.api(f"/v1/explain?{query}")
        assert explained["service"] == service, explained

    fallback = engine.run(labels=labels("fallback", host="*"))
    balancer.until_up("fallback", 1)
    assert balancer.request("nobody.test").who == fallback.short
    assert balancer.request("w.test").who == fallback.short
    assert balancer.request("a.test").who == many.short

    many.stop()
    balancer.until_up("exact", 0)
    assert balancer.request("a.test").status == 503
    assert balancer.request("a.test", "/api/v1").status == 503
    assert balancer.request("nobody.test").who == fallback.short
    fallback.stop()
    balancer.until_up("fallback", 0)
    assert balancer.request("nobody.test").status == 503
    assert balancer.reloads == reloads


def test_addresses_of_their_own_for_http_and_tcp(balancer: Balancer, engine: Engine) -> None:
    """Several ports of one container; a new address costs one reload, another copy behind it none."""
    reloads = balancer.reloads
    own, echo = ports.free(), ports.free()
    said = {
        **labels_of("own", listen=f":{own}", port=8000),
        **labels_of("own-api", listen=f":{own}", path="/api", port=8001),
        **labels_of("echo", tcp=f"127.0.0.1:{echo}", port=9000),
        **labels_of("shared", host="own.test", port=8001),
    }
    env = {"PORT": "8000,8001", "ECHO": 9000}
    first = engine.run(labels=said, env=env)
    assert balancer.serves("any.test", 1, port=own) == {first.short}
    balancer.until_up("echo", 1)
    assert "port=8000 " in balancer.request("any.test", "/x", port=own).text
    assert "port=8001 " in balancer.request("any.test", "/api/x", port=own).text
    assert "port=8001 " in balancer.request("own.test").text
    assert echoed(echo) == f"host={first.short} hello"
    status = balancer.until(lambda status: status["haproxy"]["reloads"] > reloads, "the reload is counted")
    assert f"new frontend listen-{own}" in status["haproxy"]["last_reload_reason"]

    second = engine.run(labels=said, env=env)
    assert balancer.serves("any.test", 2, port=own) == {first.short, second.short}
    balancer.until_up("echo", 2)
    assert {echoed(echo) for _ in range(4)} == {f"host={each.short} hello" for each in (first, second)}
    assert balancer.reloads == reloads + 1

    first.stop()
    second.stop()
    balancer.until_up("echo", 0)
    balancer.until_up("own", 0)
    assert balancer.request("any.test", port=own).status == 503
    assert echoed(echo) == ""


def test_a_route_belongs_to_one_service_at_a_time(balancer: Balancer, engine: Engine) -> None:
    """The first keeps it, the other says so and keeps the rest; when the first has gone, the other takes over."""
    first = engine.run(labels=labels("first", host="claimed.test"))
    balancer.serves("claimed.test", 1)
    second = engine.run(labels=labels("second", host="claimed.test, second.test"))
    assert balancer.serves("second.test", 1) == {second.short}
    assert balancer.serves("claimed.test", 1) == {first.short}
    (problem,) = [each for each in balancer.status()["problems"] if each["service"] == "second"]
    assert "claimed.test" in problem["what"]
    assert "first" in problem["what"]
    first.stop()
    until(lambda: balancer.request("claimed.test").who == second.short, what="the second service has the route")
    balancer.until(lambda status: not [each for each in status["problems"] if each["service"] == "second"])


def echoed(port: int) -> str:
    """Say hello to the TCP port; what came back, "" when the connection was closed."""
    with socket.create_connection(("127.0.0.1", port), 15) as connection:
        said = b""
        try:
            connection.sendall(b"hello")
            while not said.endswith(b"hello") and (got := connection.recv(4096)):
                said += got
        except ConnectionError:
            return ""
    return said.decode()
