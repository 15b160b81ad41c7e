"""The etcd client against real servers: who is let in, which member answers, what is said when none does."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.clients.etcd import EtcdClient, Patience
from longshore.clients.etcd_connect import client_of
from longshore.clients.etcd_faults import CompactedError, DeniedError, EtcdError, LeaseExistsError, LeaseGoneError
from longshore.clients.etcd_wire import Change, is_absent
from tests.lab.etcd import SERIES, Etcd
from tests.lab.etcd_sight import settings
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system
QUICK = Patience(answer=2.0, connect=1.0, quiet=0.5)
series = pytest.mark.parametrize("series", SERIES)


@pytest.fixture(scope="module")
def three(own_network: None) -> Iterator[Etcd]:
    with Etcd("3.5", size=3) as cluster:
        yield cluster


async def fault(client: EtcdClient, key: bytes = b"/a/1") -> EtcdError:
    with pytest.raises(EtcdError) as caught:
        async with client:
            await client.get([key])
    return caught.value


@series
async def test_leases_and_transactions(series: str) -> None:
    with Etcd(series) as etcd:
        async with client_of(settings(etcd)) as client:
            assert (await client.grant(60, 77)).ttl == 60
            with pytest.raises(LeaseExistsError):
                await client.grant(60, 77)
            assert await client.put_if(is_absent(b"/a/1"), b"/a/1", b"one", 77) is None
            found = await client.put_if(is_absent(b"/a/1"), b"/a/1", b"two", 77)
            assert found is not None
            assert (found.value, found.lease) == (b"one", 77)
            lease = await client.lease(77)
            assert (lease.granted, lease.keys) == (60, (b"/a/1",))
            assert await client.keep_alive(77) == 60
            await client.revoke(77)
            assert (await client.lease(77)).ttl == 0
            assert not (await client.list(b"/a/")).pairs
            await client.revoke(77)  # gone already is fine
            with pytest.raises(LeaseGoneError):
                await client.keep_alive(77)
            with pytest.raises(LeaseGoneError):
                await client.put(b"/a/1", b"", 77)
            with pytest.raises(DeniedError, match="does not take so large a value"):
                await client.put(b"/a/1", b"x" * 2_000_000)


@series
async def test_a_watch_starts_at_the_revision_or_says_that_it_is_forgotten(series: str) -> None:
    with Etcd(series) as etcd:
        first = etcd.put("/a/1", "one")
        etcd.put("/b/1", "elsewhere")
        second = etcd.put("/a/1", "two")
        etcd.delete("/a/1")
        async with client_of(settings(etcd)) as client:
            got = list[Change]()
            async with client.watch(b"/a/", first + 1) as batches:
                async for changes in batches:
                    got += changes
                    if len(got) == 2:
                        break
            assert got == [Change(b"/a/1", b"two", second), Change(b"/a/1", None, second + 1)]
            etcd.compact()
            with pytest.raises(CompactedError):
                async with client.watch(b"/a/", first + 1) as batches:
                    await anext(batches)


@series
async def test_a_user_logs_in_and_again_when_the_server_forgot_the_token(series: str, tmp_path: Path) -> None:
    """A server that restarts knows no token any more; the password is read again at every login."""
    password = tmp_path / "password"
    password.write_text("first\n")
    with Etcd(series) as etcd:
        user = {"username": "shop", "password-file": str(password)}
        async with client_of(settings(etcd, **user)) as client:
            await client.put(b"/shop/1", b"authentication is off")
            etcd.secure("of root", users={"shop": ("first", "/shop/")})
            await client.put(b"/shop/1", b"authentication is on")
            etcd.stop(0)
            etcd.start(0)
            etcd.authenticate("of root")
            etcd.ask("auth/user/changepw", {"name": "shop", "password": "second"})
            password.write_text("second")
            await until_written(client, b"/shop/1")
            assert etcd.keys("/shop/") == {"/shop/1": "two"}
            async with client.watch(b"/shop/", 1) as batches:
                assert (await anext(batches))[0].key == b"/shop/1"
            with pytest.raises(DeniedError, match="as shop") as denied:
                await client.get([b"/other"])
            assert "etcdctl role grant-permission" in denied.value.hint
            with pytest.raises(EtcdError, match="does not permit it"):
                async with client.watch(b"/other/", 1) as batches:
                    await anext(batches)
        nobody = await fault(client_of(settings(etcd)))
        assert nobody.what.endswith("wants a user")
        assert nobody.hint == "set username and password-file"
        password.write_text("wrong")
        wrong = await fault(client_of(settings(etcd, **user)))
        assert "refuses this user and password" in wrong.what
        password.unlink()
        missing = await fault(client_of(settings(etcd).model_copy(update={"username": "x", "password_file": password})))
        assert f"password-file {password}: No such file" in missing.what


async def test_tls_trusts_only_its_authority(tmp_path: Path) -> None:
    with Etcd("3.5", tls="server") as etcd:
        async with client_of(settings(etcd)) as client:
            await client.put(b"/a/1", b"one")
        distrusted = await fault(client_of(settings(etcd, tls={})))
        assert "the certificate of etcd at" in distrusted.what
        plain = [url.replace("https:", "http:") for url in etcd.endpoints]
        assert "https://" in (await fault(client_of(settings(etcd, endpoints=plain)))).hint


@series
async def test_a_client_certificate_is_shown_and_a_common_name_in_it_explained(series: str, tmp_path: Path) -> None:
    """With authentication on, etcd's gateway refuses certificates with a CN, whatever token comes along."""
    (tmp_path / "password").write_text("of root")
    root = {"username": "root", "password-file": str(tmp_path / "password")}
    with Etcd(series, tls="mutual") as etcd:
        ours = settings(etcd)
        async with client_of(ours) as client:
            await client.put(b"/a/1", b"one")
        etcd.secure("of root")
        async with client_of(settings(etcd, **root)) as client:
            await client.put(b"/a/1", b"two")
        cert, key = etcd.authority.sign("named", "/CN=shop")
        tls: dict[str, Any] = {"ca": str(etcd.authority.ca), "cert": str(cert), "key": str(key)}
        named = await fault(client_of(settings(etcd, tls=tls, **root)))
        assert "refuses the client certificate" in named.what
        assert "without a common name" in named.hint
        bare = await fault(client_of(settings(etcd, tls={"ca": tls["ca"]})))
        assert "client certificate" in bare.hint


async def test_a_write_goes_on_at_another_member_when_one_dies(three: Etcd) -> None:
    """Also when it is the leader: the others elect one within two seconds, and etcd alone would wait for seven."""
    async with client_of(settings(three), QUICK) as client:
        await client.put(b"/a/1", b"one")
        member = three.endpoints.index(client.endpoint)
        three.kill(member)
        await until_written(client)
        assert client.endpoint != three.endpoints[member]
        three.start(member)


async def until_written(client: EtcdClient, key: bytes = b"/a/1") -> None:
    async def succeeds() -> bool:
        with contextlib.suppress(EtcdError):
            await client.put(key, b"two")
            return True
        return False

    written: Callable[[], bool | Awaitable[bool]] = succeeds
    await eventually(written, what="a write succeeds")


async def test_a_watch_at_a_member_that_hangs_is_given_up(three: Etcd) -> None:
    """Its connection stays open and says nothing, like that of a machine that lost its power."""
    async with client_of(settings(three), QUICK) as client:
        listing = await client.list(b"/a/")
        member = three.endpoints.index(client.endpoint)

        async def follow() -> None:
            async with client.watch(b"/a/", listing.revision + 1) as batches:
                three.freeze(member)
                async for _ in batches:
                    pass

        with pytest.raises(EtcdError, match="does not answer in time"):
            await follow()
        assert client.endpoint != three.endpoints[member]
        three.thaw(member)


async def test_without_a_quorum_every_member_is_asked_and_the_reason_told(three: Etcd) -> None:
    async with client_of(settings(three), QUICK) as client:
        for member in (1, 2):
            three.kill(member)
        told = list[EtcdError]()

        async def refused() -> bool:
            with pytest.raises(EtcdError) as caught:
                await client.put(b"/a/1", b"three")
            told.append(caught.value)
            return "has no leader" in caught.value.what

        leaderless: Callable[[], bool | Awaitable[bool]] = refused
        await eventually(leaderless, what="no leader is told")
        assert "none of 3 etcd endpoints can be used" in told[-1].what
        assert "refuses connections" in told[-1].what
        assert "has lost most of its members" in told[-1].hint
        for member in (1, 2):
            three.start(member, wait=False)
        three.until_healthy()
        await until_written(client)
