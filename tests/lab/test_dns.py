"""The lab's nameserver answers, forgets, and cuts what is too long."""

from __future__ import annotations

import pytest

from longshore.clients.dns import DnsClient
from longshore.clients.dns_exchange import Nameserver
from tests.lab.dns import Dns

pytestmark = pytest.mark.system


async def test_records_come_and_go() -> None:
    with Dns() as dns:
        client = DnsClient((Nameserver(dns.address, dns.port),), timeout=10)
        assert (await client.addresses("web.test")).state == "missing"
        dns.put("web.test", "A", "10.0.0.2", "10.0.0.1", ttl=3)
        answer = await client.addresses("web.test")
        assert (answer.addresses, answer.ttl) == (("10.0.0.1", "10.0.0.2"), 3)
        dns.put("web.test", "TXT", "x")
        dns.put("web.test", "A")
        assert (await client.addresses("web.test")).state == "empty"
        dns.drop("web.test")
        assert (await client.addresses("web.test")).state == "missing"
        dns.stop()
        dns.start()
        assert (await client.addresses("ns.test")).addresses == ("127.0.0.1",)


async def test_srv_with_the_addresses_beside() -> None:
    with Dns() as dns:
        dns.put("_web._tcp.test", "SRV", "10 5 8001 a.test.", "20 7 8002 b.test.")
        dns.put("a.test", "A", "10.0.0.1")
        dns.put("b.test", "A", "10.0.0.2")
        answer = await DnsClient((Nameserver(dns.address, dns.port),), timeout=10).services("_web._tcp.test")
        assert [(t.host, t.port, t.addresses) for t in answer.targets] == [
            ("a.test", 8001, ("10.0.0.1",)),
            ("b.test", 8002, ("10.0.0.2",)),
        ]


@pytest.mark.parametrize("udp", [1232, 4096])
async def test_large_answers(udp: int) -> None:
    with Dns(udp=udp) as dns:
        addresses = tuple(f"10.0.1.{number}" for number in range(1, 101))
        dns.put("web.test", "A", *addresses)
        answer = await DnsClient((Nameserver(dns.address, dns.port),), timeout=10).addresses("web.test")
        assert (answer.addresses, answer.partial) == (addresses, False)
