"""Names are asked of the nameservers that the operator named."""

from __future__ import annotations

import asyncio

import pytest

from longshore.sources.names import Names
from longshore.sources.nameservers import asking
from tests.lab.dns_odd import OddDns
from tests.sources.written import PATIENCE, Resolver


async def test_a_name_with_a_nameserver_is_asked_there_and_others_are_not() -> None:
    with OddDns() as server:
        server.put("vm1.test", "A", "10.0.0.7")
        names = Names(lookup=Resolver(vm1_test="10.0.0.1"), ask=asking())
        asked = f"vm1.test@{server.where}"
        names.want(["vm1.test", asked])
        async with asyncio.timeout(PATIENCE):
            while len(names.addresses) < 2:
                await names.changed.wait()
                names.changed.clear()
        assert names.addresses == {"vm1.test": "10.0.0.1", asked: "10.0.0.7"}
        await names.close()


async def test_what_a_nameserver_does_not_know_is_said() -> None:
    with OddDns() as server:
        where = server.where
        with pytest.raises(OSError, match=rf"it does not exist \(NXDOMAIN\), says {where}"):
            await asking()("vm1.test", where)
    with pytest.raises(OSError, match=r"vm1.test cannot be looked up: nameserver"):
        await asking()("vm1.test", where)
