"""The source `etcd` against real servers: nothing is missed, whatever breaks, and what is known stays known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longshore.clients.etcd import EtcdClient, Patience
from longshore.clients.etcd_wire import Listing
from longshore.sources.etcd import EtcdAdapter
from tests.lab.etcd import SERIES, Etcd
from tests.lab.etcd_sight import PREFIX, settings, watching
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system
QUICK = Patience(answer=2.0, connect=1.0, quiet=0.5)


@pytest.fixture(params=SERIES)
def etcd(request: pytest.FixtureRequest, own_network: None) -> Iterator[Etcd]:
    with Etcd(request.param) as cluster:
        yield cluster


@pytest.fixture
def three(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5", size=3) as cluster:
        yield cluster


async def test_what_stands_there_is_seen_and_every_change_after_it(etcd: Etcd) -> None:
    etcd.put(f"{PREFIX}/web/1", "one")
    etcd.put(f"{PREFIX}-not/web/1", "a neighbour whose name starts the same")
    async with watching(EtcdAdapter(settings(etcd))) as sight:
        await sight.until(web__1="one")
        etcd.put(f"{PREFIX}/web/2", "two")
        await sight.until(web__1="one", web__2="two")
        etcd.put(f"{PREFIX}/web/1", "other")
        etcd.delete(f"{PREFIX}/web/2")
        await sight.until(web__1="other")
        assert sight.listings == 1
        assert not sight.faults


async def test_an_entry_whose_lease_ran_out_is_gone(etcd: Etcd) -> None:
    lease = etcd.lend(f"{PREFIX}/web/1", "one", ttl=2)
    async with watching(EtcdAdapter(settings(etcd))) as sight:
        await sight.until(web__1="one")
        await sight.until()
    assert lease not in etcd.leases()


async def test_large_values_and_odd_keys_are_read(etcd: Etcd) -> None:
    large = "x" * 1_400_000
    async with watching(EtcdAdapter(settings(etcd))) as sight:
        await eventually(lambda: sight.listings)
        for number in range(4):
            etcd.put(f"{PREFIX}/web/{number}", large)
        etcd.put(f"{PREFIX}/".encode() + b"\xff\x00", b"\xfe")
        wanted = {f"{PREFIX}/web/{number}": large.encode() for number in range(4)} | {f"{PREFIX}/\\xff\0": b"\xfe"}
        await eventually(lambda: sight.seen == wanted)
    async with watching(EtcdAdapter(settings(etcd))) as again:
        await eventually(lambda: again.seen == wanted)


async def test_more_keys_than_one_answer_holds_are_listed_at_one_revision(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longshore.clients.etcd.PAGE", 7)
    wanted = {f"{PREFIX}/web/{number:02}": b"value" for number in range(21)}
    for key in wanted:
        etcd.put(key, "value")
    async with watching(EtcdAdapter(settings(etcd))) as sight:
        await eventually(lambda: sight.seen == wanted)


async def test_what_etcd_forgot_is_listed_again(etcd: Etcd, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many changes and a compaction between listing and following: etcd cancels such a watch."""
    etcd.put(f"{PREFIX}/web/1", "one")
    listing = EtcdClient.list

    async def slow(client: EtcdClient, prefix: bytes) -> Listing:
        listed = await listing(client, prefix)
        if not sight.listings:
            etcd.put(f"{PREFIX}/web/1", "other")
            etcd.delete(f"{PREFIX}/web/1")
            etcd.put(f"{PREFIX}/web/2", "two")
            etcd.compact()
        return listed

    monkeypatch.setattr(EtcdClient, "list", slow)
    async with watching(EtcdAdapter(settings(etcd))) as sight:
        await sight.until(web__2="two")
        assert sight.listings == 2
        assert not sight.faults  # it is nothing that an operator must know


async def test_a_server_that_restarts_is_listed_again(etcd: Etcd) -> None:
    etcd.put(f"{PREFIX}/web/1", "one")
    etcd.put(f"{PREFIX}/web/2", "two")
    async with watching(EtcdAdapter(settings(etcd))) as sight:
        await sight.until(web__1="one", web__2="two")
        etcd.stop(0)
        await eventually(lambda: sight.faults)
        assert len(sight.seen) == 2
        etcd.start(0)
        etcd.delete(f"{PREFIX}/web/1")
        await sight.until(web__2="two")


async def test_the_leader_dies_and_no_entry_is_missed(three: Etcd) -> None:
    three.put(f"{PREFIX}/web/1", "one")
    async with watching(EtcdAdapter(settings(three), QUICK)) as sight:
        await sight.until(web__1="one")
        three.kill(three.leader())
        await eventually(lambda: three.put(f"{PREFIX}/web/2", "two"))
        await sight.until(web__1="one", web__2="two")
        assert sight.least == 1


async def test_the_quorum_is_lost_and_comes_back(three: Etcd) -> None:
    """The source says so, keeps what it knew, and catches up with what was registered after the healing."""
    three.put(f"{PREFIX}/web/1", "one")
    async with watching(EtcdAdapter(settings(three), QUICK)) as sight:
        await sight.until(web__1="one")
        for member in (0, 1):
            three.kill(member)
        await eventually(lambda: any("has no leader" in fault.what for fault in sight.faults))
        assert sight.seen == {f"{PREFIX}/web/1": b"one"}
        for member in (0, 1):
            three.start(member, wait=False)
        three.until_healthy()
        three.put(f"{PREFIX}/web/2", "two")
        await sight.until(web__1="one", web__2="two")
        assert sight.least == 1
