"""Names of DNS get traffic, by longshore or by HAProxy itself: a real nameserver, containers, every request counted.

`longshore` asks and adds servers at runtime; `haproxy` has slots that it fills itself. What both must do is the same.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from dns.message import Message

from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.dns import Dns
from tests.lab.dns_odd import OddDns
from tests.lab.engine import Engine
from tests.lab.haproxy import every_version, haproxy, oldest_and_newest
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.system.traffic import Traffic

pytestmark = pytest.mark.system
both_ways = pytest.mark.parametrize("resolve", ["longshore", "haproxy"])


@pytest.fixture
def dns(own_network: None) -> Iterator[Dns]:
    with Dns() as server:
        yield server


def config(dns: Dns | OddDns, resolve: str, port: int = 8000, name: str = "web.test", **source: Any) -> dict[str, Any]:
    picked = {"source": "dns", "name": name, "port": port}
    return {
        "sources": {
            "dns": {"nameservers": [dns.where], "resolve": resolve, "refresh": "1s", "timeout": "500ms"} | source
        },
        "services": {"web": {"from": picked, "host": "a.test", "check-interval": "1s"}},
    }


def point(dns: Dns, *containers: Container) -> None:
    """Let the name stand for these."""
    dns.put("web.test", "A", *(container.address for container in containers))


def problems(balancer: Balancer) -> str:
    return "\n".join(problem["what"] for problem in balancer.status()["problems"])


@both_ways
@oldest_and_newest
def test_copies_come_and_go_without_a_lost_request(
    engine: Engine, dns: Dns, balance: Callable[..., Balancer], series: str, resolve: str
) -> None:
    """Properly: a copy leaves DNS, and ends when that is known."""
    first, second, third = (engine.run() for _ in range(3))
    point(dns, first)
    b = balance(series=series, config=config(dns, resolve))
    b.serves("a.test", 1)
    with Traffic(b, rate=20) as traffic:
        point(dns, first, second, third)
        b.until_up("web", 3)
        traffic.more(20)
        point(dns, second, third)
        b.until_up("web", 2)
        first.stop()
        fourth = engine.run()
        point(dns, third, fourth)
        b.until(lambda _: {e["address"] for e in b.service("web")["endpoints"]} == {third.address, fourth.address})
        second.stop()
        traffic.more(20)
    assert traffic.lost == {}
    assert traffic.by == {each.short for each in (first, second, third, fourth)}
    assert b.reloads == 0


@both_ways
@oldest_and_newest
def test_from_none_to_fifty_and_back(dns: Dns, balance: Callable[..., Balancer], series: str, resolve: str) -> None:
    """An answer of fifty addresses is longer than the 512 bytes of old. HAProxy gets more slots by reloads."""
    with Web("everywhere") as web:
        b = balance(series=series, config=config(dns, resolve, web.port, hold="1s"))
        assert b.request("a.test").status == 503
        assert "web.test does not exist (NXDOMAIN)" in problems(b)
        dns.put("web.test", "A", *(f"127.0.1.{number}" for number in range(1, 51)))
        b.until_up("web", 50)
        assert b.request("a.test").status == 200
        assert b.status()["problems"] == []
        dns.put("web.test", "A", "127.0.1.7")
        b.until_up("web", 1)
        assert b.request("a.test").status == 200
        dns.drop("web.test")
        b.until_up("web", 0)
        assert b.request("a.test").status == 503
        assert b.reloads == (1 if resolve == "haproxy" else 0)
        dns.put("web.test", "A", "127.0.1.8")
        b.serves("a.test", 1)


@both_ways
@oldest_and_newest
def test_a_name_that_is_gone_for_a_moment_and_a_dead_nameserver_cost_nothing(
    engine: Engine, dns: Dns, balance: Callable[..., Balancer], series: str, resolve: str
) -> None:
    copies = [engine.run() for _ in range(2)]
    point(dns, *copies)
    b = balance(series=series, config=config(dns, resolve))
    b.serves("a.test", 2)
    with Traffic(b, rate=10) as traffic:
        dns.drop("web.test")
        until(lambda: "web.test does not exist (NXDOMAIN)" in problems(b))
        traffic.more(20)
        point(dns, *copies)
        b.until(lambda status: status["problems"] == [])
        dns.stop()
        b.until(lambda status: status["sources"][0]["state"] == "stale")
        assert "is not there: connection refused" in problems(b)
        traffic.more(20)
        dns.start()
        b.until(lambda status: status["sources"][0]["state"] == "current" and not status["problems"])
        traffic.more(10)
    assert traffic.lost == {}
    assert b.reloads == 0


@both_ways
def test_a_restart_while_no_nameserver_answers_begins_with_the_last_addresses(
    dns: Dns, balance: Callable[..., Balancer], resolve: str
) -> None:
    with Web("one") as web:
        dns.put("web.test", "A", "127.0.1.1", "127.0.1.2")
        b = balance(config=config(dns, resolve, web.port))
        b.until_up("web", 2)
        until(lambda: resolve == "haproxy" or "127.0.1.2" in (b.state / "state.json").read_text(), what="it is saved")
        dns.stop()
        b.kill9()
        b.start()
        b.until(lambda status: status["sources"][0]["state"] == "stale")
        b.until_up("web", 2)
        assert b.request("a.test").status == 200
        assert b.reloads == 0


@oldest_and_newest
def test_a_reload_keeps_what_haproxy_found(
    engine: Engine, dns: Dns, balance: Callable[..., Balancer], series: str
) -> None:
    """The new worker begins with the addresses of the old one, and not with an empty backend."""
    point(dns, *(engine.run() for _ in range(2)))
    b = balance(series=series, config=config(dns, "haproxy"))
    b.serves("a.test", 2)
    with Traffic(b, rate=20) as traffic:
        for _ in range(2):
            assert b.command("reload").returncode == 0
            traffic.more(10)
        dns.stop()  # not even now
        assert b.command("reload").returncode == 0
        traffic.more(10)
    assert traffic.lost == {}
    b.until_up("web", 2)


@oldest_and_newest
def test_haproxy_takes_over_the_asking_and_gives_it_back(
    engine: Engine, dns: Dns, balance: Callable[..., Balancer], series: str
) -> None:
    """Each way costs a reload. Coming to HAProxy its slots are empty for a moment, which `hold` bridges."""
    point(dns, *(engine.run() for _ in range(2)))

    def settings(resolve: str) -> dict[str, Any]:
        made = config(dns, resolve)
        made["services"]["web"]["hold"] = "10s"
        return made

    b = balance(series=series, config=settings("haproxy"))
    b.serves("a.test", 2)
    with Traffic(b, rate=20) as traffic:
        for reloads, resolve in enumerate(("longshore", "haproxy", "longshore"), 1):
            b.configure(settings(resolve))
            b.send(signal.SIGHUP)
            until(lambda expected=reloads: b.reloads == expected)  # type: ignore[misc]
            b.until_up("web", 2)
            traffic.more(10)
    assert traffic.lost == {}


def test_srv_records_say_port_weight_and_who_comes_first(dns: Dns, balance: Callable[..., Balancer]) -> None:
    with Web("first") as first, Web("second") as second, Web("spare") as spare:
        records = [f"10 30 {first.port} a.test.", f"10 60 {second.port} b.test.", f"20 0 {spare.port} a.test."]
        dns.put("_web._tcp.test", "SRV", *records)
        dns.put("a.test", "A", "127.0.1.1")
        dns.put("b.test", "A", "127.0.1.2")
        picked = {"source": "dns", "name": "_web._tcp.test", "type": "srv"}
        services = {"web": {"from": picked, "host": "a.test", "check-interval": "200ms"}}
        b = balance(config=config(dns, "longshore") | {"services": services})
        assert b.serves("a.test", 2) == {"first", "second"}
        shown = {end["name"]: (end["weight"], end["backup"]) for end in b.service("web")["endpoints"]}
        assert shown == {
            f"a.test:{first.port}": (30, False),
            f"b.test:{second.port}": (60, False),
            f"a.test:{spare.port}": (1, True),
        }
        dns.put("_web._tcp.test", "SRV", records[2])
        assert b.serves("a.test", 1) == {"spare"}


def test_a_nameserver_that_cuts_lies_or_shuffles_takes_nobody_out_and_is_said(
    own_network: None, balance: Callable[..., Balancer]
) -> None:
    addresses = [f"127.0.1.{number}" for number in range(1, 61)]
    with OddDns() as odd, Web("everywhere") as web:
        odd.put("web.test", "A", *addresses)
        settings = config(odd, "longshore", web.port, hold="1h")
        b = balance(config=settings)
        b.until_up("web", 60)
        odd.limit, odd.tcp = 512, False
        until(lambda: "cuts its answer for web.test short" in problems(b))
        odd.limit, odd.tcp = 65535, True
        until(lambda: problems(b) == "")
        odd.twist = _thirds()
        until(lambda: "answers each question for web.test with other addresses" in problems(b))
        odd.put("web.test", "A", *addresses)
        b.until_up("web", 60)
        odd.twist = None
        b.terminate()
        odd.lie = "127.9.9.9"
        b.configure(config(odd, "longshore", web.port, name="other.test"))
        b.start()
        until(lambda: "answers names that do not exist with 127.9.9.9" in problems(b))
        assert "other.test does not exist (NXDOMAIN)" in problems(b)
        assert b.service("web")["endpoints"] == []


def _thirds() -> Callable[[Message], None]:
    """Make answers hold twenty addresses of sixty, others each time."""
    turn = itertools.count()

    def twist(message: Message) -> None:
        kept = next(turn) % 3
        for rrset in message.answer:
            for number, record in enumerate(sorted(rrset, key=str)):
                if number % 3 != kept:
                    rrset.remove(record)  # type: ignore[no-untyped-call]

    return twist


@oldest_and_newest
def test_haproxy_finds_srv_records_itself(dns: Dns, balance: Callable[..., Balancer], series: str) -> None:
    """Two of them at one address, which HAProxy takes for a mistake unless it is told otherwise.

    It does not care for priorities.
    """
    with Web("first") as first, Web("second") as second:
        dns.put("_web._tcp.test", "SRV", f"10 10 {first.port} a.test.", f"20 10 {second.port} a.test.")
        dns.put("a.test", "A", "127.0.1.1")
        picked = {"source": "dns", "name": "_web._tcp.test", "type": "srv"}
        services = {"web": {"from": picked, "host": "a.test", "check-interval": "1s"}}
        b = balance(series=series, config=config(dns, "haproxy") | {"services": services})
        assert b.serves("a.test", 2) == {"first", "second"}
        b.until_up("web", 2)


def test_status_explain_and_orders_with_endpoints_that_haproxy_found(
    dns: Dns, balance: Callable[..., Balancer]
) -> None:
    with Web("one") as web:
        dns.put("web.test", "A", "127.0.1.1")
        b = balance(config=config(dns, "haproxy", web.port))
        b.until_up("web", 1)
        (endpoint,) = b.service("web")["endpoints"]
        assert (endpoint["id"], endpoint["reason"]) == (f"127.0.1.1:{web.port}", "HAProxy found it by web.test")
        assert "endpoint 127.0.1.1" in b.command("explain", "http://a.test/").stdout
        refused = b.command("drain", "web")
        assert refused.returncode == 1
        assert "HAProxy finds the endpoints of service web itself" in refused.stdout + refused.stderr


@every_version
def test_the_rendered_configuration_runs_without_longshore(own_network: None, dns: Dns, series: str) -> None:
    """`render` writes it, HAProxy alone runs it: addresses come and go, and nobody of ours is there."""
    with Web("one") as web, ExitStack() as stack:
        b = Balancer(series=series, config=config(dns, "haproxy", web.port, hold="1s"))
        stack.callback(b.close)
        done = b.command("render", "--haproxy", series, "--config", str(b.config), "--out", str(b.state))
        assert (done.returncode, done.stderr.strip()) == (0, "")
        alone = subprocess.Popen([haproxy(series), "-W", "-f", b.state / "haproxy" / "haproxy.cfg"])
        stack.callback(alone.wait)
        stack.callback(alone.terminate)
        until(lambda: b.request("a.test").status == 503)
        dns.put("web.test", "A", "127.0.1.1")
        until(lambda: b.request("a.test").status == 200)
        dns.drop("web.test")
        until(lambda: b.request("a.test").status == 503)
