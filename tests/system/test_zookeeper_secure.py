"""ZooKeeper with access lists and over TLS: who may, who may not, and what is said when it does not work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl

from longshore.core.entries import Entry
from longshore.sources.zookeeper import Pace, ZooKeeperAdapter
from tests.lab.authority import Authority
from tests.lab.etcd_hand import entry, wish
from tests.lab.etcd_sight import PREFIX, watching
from tests.lab.waiting import eventually
from tests.lab.zookeeper import Tls, ZooKeeper
from tests.lab.zookeeper_hand import holder_of, running, settings, standing, until_state, until_there, written

pytestmark = pytest.mark.system


@pytest.fixture
def zookeeper(own_network: None) -> Iterator[ZooKeeper]:
    with ZooKeeper() as server:
        yield server


@pytest.fixture
def auth(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "auth").write_text("longshore:secret\n")
    return {"auth-file": str(tmp_path / "auth")}


async def test_who_registers_with_a_password_alone_may_change_it_and_all_may_read_it(
    zookeeper: ZooKeeper, auth: dict[str, Any], tmp_path: Path
) -> None:
    """The folders that it makes are its own too: without the password nobody adds entries to them."""
    (tmp_path / "other").write_text("digest:other:word")
    others: list[dict[str, Any]] = [{}, {"auth-file": str(tmp_path / "other")}]
    one = entry("one")
    async with running(holder := holder_of(zookeeper, **auth)):
        holder.want(wish(one))
        await until_there(zookeeper, one)
        async with watching(ZooKeeperAdapter(settings(zookeeper))) as sight:
            await eventually(lambda: len(sight.seen) == 1)
        for more in others:
            async with running(stranger := holder_of(zookeeper, "h2", **more)):
                stranger.want(wish(entry("two", owner="h2"), entry("three", owner="h2", service="api")))
                told = await until_state(stranger, two="refused", three="refused")
                assert f"does not allow to create {PREFIX}/web/two_" in told["two"].error
                said = "another user" if more else "auth-file"
                assert said in told["two"].error
        assert standing(zookeeper) == written(one)
        async with running(mate := holder_of(zookeeper, "h2", **auth)):
            mate.want(wish(entry("two", owner="h2")))
            await until_there(zookeeper, one, entry("two", owner="h2"))


async def test_what_is_refused_is_tried_again(zookeeper: ZooKeeper) -> None:
    zookeeper.put(PREFIX, "")
    zookeeper.client.add_auth("digest", "somebody:else")
    zookeeper.client.set_acls(PREFIX, [make_digest_acl("somebody", "else", all=True)])
    one = entry("one")
    async with running(holder := holder_of(zookeeper)):
        holder.want(wish(one))
        told = await until_state(holder, one="refused")
        assert "does not allow" in told["one"].error
        zookeeper.client.set_acls(PREFIX, [make_digest_acl("somebody", "else", all=True), *OPEN_ACL_UNSAFE])
        await until_there(zookeeper, one)
        await until_state(holder, one="held")


async def test_a_prefix_that_may_not_be_read_is_said_and_what_was_known_stays(
    zookeeper: ZooKeeper, auth: dict[str, Any]
) -> None:
    """Servers keep the events from us as well, so now and then everything is listed again."""
    zookeeper.put(f"{PREFIX}/web/one", "1")
    zookeeper.client.add_auth("digest", "longshore:secret")
    async with watching(ZooKeeperAdapter(settings(zookeeper), pace=Pace(compare=0.5))) as sight:
        await sight.until(web__one="1")
        zookeeper.client.set_acls(PREFIX, [make_digest_acl("longshore", "secret", all=True)])
        zookeeper.put(f"{PREFIX}/api/two", "2")
        await eventually(lambda: sight.faults)
        assert sight.faults[-1].what == f"ZooKeeper does not allow to list {PREFIX}"
        assert "auth-file" in sight.faults[-1].hint
        assert set(sight.seen) == {f"{PREFIX}/web/one"}
    async with watching(ZooKeeperAdapter(settings(zookeeper, **auth))) as sight:
        await sight.until(web__one="1", api__two="2")


@pytest.mark.parametrize("tls", ["server", "mutual"])
async def test_everything_goes_over_tls(own_network: None, tls: Tls) -> None:
    large = Entry("web", "one", "10.0.0.5", 80, owner="h1", labels=(("x", "y" * 800_000),))
    with ZooKeeper(tls=tls) as zookeeper:
        section = secure(zookeeper, client=tls == "mutual")
        async with (
            watching(ZooKeeperAdapter(settings(zookeeper, **section))) as sight,
            running(holder := holder_of(zookeeper, **section)),
        ):
            holder.want(wish(large))
            await until_there(zookeeper, large)
            await eventually(lambda: len(sight.seen) == 1)
            zookeeper.kill(0)
            await until_state(holder, one="lost")
            zookeeper.start(0)
            await until_state(holder, one="held")
            assert len(sight.seen) == 1


async def test_certificates_and_ports_that_do_not_fit_are_said(own_network: None) -> None:
    async def said(server: ZooKeeper, **section: Any) -> str:
        async with watching(ZooKeeperAdapter(settings(server, **section))) as sight:
            await eventually(lambda: sight.faults)
        return str(sight.faults[0])

    with ZooKeeper(tls="mutual") as zookeeper:
        right = secure(zookeeper, client=True)
        stranger = Authority(zookeeper.folder / "stranger")
        expired = zookeeper.authority.sign("expired", days=-1)
        foreign = await said(zookeeper, **right | {"tls": right["tls"] | {"ca": str(stranger.ca)}})
        assert "has a certificate that is not accepted: unable to get local issuer certificate" in foreign
        for section in (
            secure(zookeeper, client=False),
            right | {"tls": right["tls"] | {"cert": str(expired[0]), "key": str(expired[1])}},
            right | {"hosts": zookeeper.hosts},
        ):
            assert "client certificate" in await said(zookeeper, **section)
        assert "is it a TLS port" in await said(zookeeper, hosts=zookeeper.secure_hosts)


def secure(zookeeper: ZooKeeper, *, client: bool) -> dict[str, Any]:
    """Return what a source's section says for TLS."""
    tls = {"ca": str(zookeeper.authority.ca)}
    if client:
        tls |= {"cert": str(zookeeper.client_files[0]), "key": str(zookeeper.client_files[1])}
    return {"hosts": zookeeper.secure_hosts, "tls": tls}
