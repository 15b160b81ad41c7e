"""The DNS client against a nameserver in this process that can do everything wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from longshore.clients.dns import DnsClient, DnsError, Target, system_nameservers
from longshore.clients.dns_exchange import Nameserver
from tests.lab import ports
from tests.lab.dns_odd import OddDns

FIFTY = tuple(f"10.0.1.{number}" for number in range(1, 51))
MANY = tuple(f"10.1.{number // 200}.{number % 200 + 1}" for number in range(600))


@pytest.fixture
def odd() -> Iterator[OddDns]:
    with OddDns() as server:
        yield server


@pytest.fixture
def other() -> Iterator[OddDns]:
    with OddDns() as server:
        yield server


def client(*servers: OddDns, timeout: float = 5.0) -> DnsClient:
    return DnsClient(tuple(Nameserver(server.address, server.port) for server in servers), timeout=timeout)


async def fault(asking: DnsClient, name: str = "web.test") -> DnsError:
    with pytest.raises(DnsError) as caught:
        await asking.addresses(name)
    return caught.value


async def test_addresses_come_sorted_with_the_time_they_hold(odd: OddDns) -> None:
    odd.put("web.test", "A", "10.0.0.10", "10.0.0.9", ttl=7)
    answer = await client(odd).addresses("web.test")
    assert (answer.state, answer.addresses, answer.ttl) == ("found", ("10.0.0.9", "10.0.0.10"), 7)
    assert answer.server == odd.where


async def test_empty_missing_and_unknown_are_told_apart(odd: OddDns) -> None:
    odd.put("web.test", "TXT", "x")
    assert (await client(odd).addresses("web.test")).state == "empty"
    assert (await client(odd).addresses("no.test")).state == "missing"
    odd.code = dns.rcode.SERVFAIL
    assert "answers SERVFAIL" in (await fault(client(odd))).what
    odd.code = dns.rcode.REFUSED
    assert "answers REFUSED" in (await fault(client(odd))).what
    odd.silent = True
    assert "does not answer within 0.1 s" in (await fault(client(odd, timeout=0.1))).what


async def test_a_port_where_nobody_listens_is_known_at_once() -> None:
    nobody = DnsClient((Nameserver("127.0.0.1", ports.free()),), timeout=60)
    assert "connection refused" in (await fault(nobody)).what


async def test_no_search_domain_is_added(odd: OddDns) -> None:
    await client(odd).addresses("web")
    assert {name for name, _ in odd.asked} == {"web"}


async def test_aliases_are_followed(odd: OddDns) -> None:
    odd.put("www.test", "CNAME", "web.test.", ttl=3)
    odd.put("web.test", "A", "10.0.0.1", ttl=60)
    answer = await client(odd).addresses("www.test")
    assert (answer.addresses, answer.ttl) == (("10.0.0.1",), 3)


@pytest.mark.parametrize(
    ("family", "addresses"),
    [
        ("auto", ("10.0.0.1",)),
        ("ipv4", ("10.0.0.1",)),
        ("ipv6", ("fd00::1",)),
        ("both", ("10.0.0.1", "fd00::1")),
    ],
)
async def test_families(odd: OddDns, family: str, addresses: tuple[str, ...]) -> None:
    odd.put("web.test", "A", "10.0.0.1")
    odd.put("web.test", "AAAA", "fd00::1")
    asking = client(odd)
    asking.family = family  # type: ignore[assignment]
    assert (await asking.addresses("web.test")).addresses == addresses


async def test_a_name_with_only_ipv6_is_found_by_default(odd: OddDns) -> None:
    odd.put("web.test", "AAAA", "fd00::1")
    assert (await client(odd).addresses("web.test")).addresses == ("fd00::1",)


async def test_fifty_addresses_fit_into_one_udp_answer(odd: OddDns) -> None:
    odd.put("web.test", "A", *FIFTY)
    answer = await client(odd).addresses("web.test")
    assert (answer.addresses, answer.partial, odd.over_tcp) == (FIFTY, False, 0)


async def test_what_does_not_fit_is_asked_over_tcp(odd: OddDns) -> None:
    odd.put("web.test", "A", *MANY)
    answer = await client(odd).addresses("web.test")
    assert (len(answer.addresses), answer.partial, odd.over_tcp) == (600, False, 1)
    odd.limit = 512
    odd.put("web.test", "A", *FIFTY)
    assert (await client(odd).addresses("web.test")).addresses == FIFTY


async def test_a_cut_answer_without_tcp_is_partial_and_said(odd: OddDns) -> None:
    odd.put("web.test", "A", *FIFTY)
    odd.limit, odd.tcp = 512, False
    answer = await client(odd).addresses("web.test")
    assert answer.partial
    assert 0 < len(answer.addresses) < 50
    assert "cuts its answer for web.test short" in answer.notes[0].what
    assert "TCP" in answer.notes[0].hint


async def test_a_nameserver_without_edns_is_asked_without(odd: OddDns) -> None:
    odd.plain = True
    odd.put("web.test", "A", *FIFTY)
    answer = await client(odd).addresses("web.test")
    assert (answer.addresses, odd.over_tcp) == (FIFTY, 1)


async def test_the_next_nameserver_is_asked_and_remembered(odd: OddDns, other: OddDns) -> None:
    odd.code = dns.rcode.SERVFAIL
    other.put("web.test", "A", "10.0.0.1")
    asking = client(odd, other)
    assert (await asking.addresses("web.test")).server == other.where
    await asking.addresses("web.test")
    assert len(odd.asked) == 1, "it is not asked again while the other one answers"


async def test_nxdomain_counts_when_all_say_it(odd: OddDns, other: OddDns) -> None:
    other.put("web.test", "A", "10.0.0.1")
    answer = await client(odd, other).addresses("web.test")
    assert answer.addresses == ("10.0.0.1",)
    assert f"{odd.where} does not know web.test" in answer.notes[0].what
    other.drop("web.test")
    assert (await client(odd, other).addresses("web.test")).state == "missing"
    other.code = dns.rcode.SERVFAIL
    assert (await client(odd, other).addresses("web.test")).state == "missing"


async def test_addresses_that_nobody_can_have_are_left_out(odd: OddDns) -> None:
    odd.put("web.test", "A", "0.0.0.0", "10.0.0.1", "224.0.0.1")
    answer = await client(odd).addresses("web.test")
    assert answer.addresses == ("10.0.0.1",)
    assert "web.test is 0.0.0.0, 224.0.0.1: left out" in answer.notes[0].what


async def test_what_a_nameserver_makes_up_is_not_believed(odd: OddDns) -> None:
    odd.lie = "10.9.9.9"
    asking = client(odd)
    (note,) = await asking.find_liars()
    assert "answers names that do not exist with 10.9.9.9" in note.what
    assert (await asking.addresses("web.test")).state == "missing"
    odd.put("web.test", "A", "10.0.0.1")
    assert (await asking.addresses("web.test")).addresses == ("10.0.0.1",)
    odd.lie = ""
    assert await asking.find_liars() == ()


async def test_an_answer_to_another_question_is_none(odd: OddDns) -> None:
    def twist(message: dns.message.Message) -> None:
        message.id ^= 1

    odd.put("web.test", "A", "10.0.0.1")
    odd.twist = twist
    error = await fault(client(odd, timeout=0.2))
    assert "does not answer within 0.2 s" in error.what


async def test_srv_records_bring_their_addresses_along(odd: OddDns) -> None:
    name = "_web._tcp.test"
    odd.put(name, "SRV", "10 5 8001 a.test.", "20 0 8002 b.test.")
    odd.extra(name, "SRV", "a.test", "10.0.0.1")
    odd.put("b.test", "A", "10.0.0.2")
    answer = await client(odd).services(name)
    assert answer.targets == (
        Target("a.test", 8001, 10, 5, ("10.0.0.1",)),
        Target("b.test", 8002, 20, 0, ("10.0.0.2",)),
    )
    assert not answer.partial
    assert ("a.test", "A") not in odd.asked, "the additional section had it"


async def test_an_srv_target_without_address_leaves_the_answer_partial(odd: OddDns) -> None:
    odd.put("_web._tcp.test", "SRV", "1 1 80 gone.test.")
    answer = await client(odd).services("_web._tcp.test")
    assert answer.partial
    assert "gone.test, of which _web._tcp.test speaks, has no address" in answer.notes[0].what


async def test_srv_with_the_root_as_target_says_that_there_is_no_service(odd: OddDns) -> None:
    odd.put("_web._tcp.test", "SRV", "0 0 0 .")
    assert (await client(odd).services("_web._tcp.test")).state == "empty"


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".test", "." * 3])
async def test_what_cannot_be_a_name_is_refused(odd: OddDns, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        await client(odd).addresses(name)


def test_the_systems_nameservers_are_read(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nsearch a.test\nnameserver 127.0.0.11\nnameserver fd00::1\nnameserver bad\noptions ndots:0\n")
    assert [str(each) for each in system_nameservers(file)] == ["127.0.0.11:53", "[fd00::1]:53"]


async def test_no_nameserver_at_all_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "resolv.conf"
    empty.write_text("")
    assert "names no nameserver" in (await fault(DnsClient(resolv_conf=empty))).what
    assert "cannot be read: No such file" in (await fault(DnsClient(resolv_conf=tmp_path / "absent"))).what
