"""The etcd client against a gateway in this process: rotation, logging in, and failures for people."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from longshore.clients.etcd import EtcdClient, Login
from longshore.clients.etcd_faults import (
    CompactedError,
    DeniedError,
    EtcdError,
    LeaseExistsError,
    LeaseGoneError,
    LoginError,
)
from longshore.clients.etcd_wire import prefix_end
from tests.clients.fake_etcd import HEADER, FakeEtcd, client_of, refusal


@pytest.fixture
async def etcd() -> AsyncIterator[FakeEtcd]:
    async with FakeEtcd().serving() as fake:
        yield fake


@pytest.fixture
async def others() -> AsyncIterator[list[FakeEtcd]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(FakeEtcd().serving()) for _ in range(2)]


async def fault(client: EtcdClient) -> EtcdError:
    with pytest.raises(EtcdError) as caught:
        async with client:
            await client.put(b"/a", b"1")
    return caught.value


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"/a/", b"/a0"), (b"a\xff", b"b"), (b"\xff\xff", b"\0"), (b"", b"\0"), (b"a\xfe\xff", b"a\xff")],
)
def test_the_end_of_a_prefix_is_the_first_key_behind_it(prefix: bytes, end: bytes) -> None:
    assert prefix_end(prefix) == end


async def test_every_request_wants_a_member_with_a_leader(etcd: FakeEtcd) -> None:
    """Without that a member that is cut off answers after seven seconds, or never."""
    async with client_of(etcd) as client:
        await client.put(b"/a", b"1")
        async with client.watch(b"/a", 1):
            pass
    assert etcd.paths == ["kv/put", "watch"]
    assert all(headers["Grpc-Metadata-hasleader"] == "true" for headers in etcd.headers)
    assert not any("Authorization" in headers for headers in etcd.headers)  # 3.4 takes an empty one for a token


@pytest.mark.parametrize("series", ["3.4", "3.5"])
@pytest.mark.parametrize(
    "message", ["etcdserver: no leader", "etcdserver: request timed out", "etcdserver: too many requests"]
)
async def test_what_another_member_may_do_is_asked_of_it(
    etcd: FakeEtcd, others: list[FakeEtcd], message: str, series: str
) -> None:
    etcd.plays["kv/put"] = lambda *_: refusal(message, series=series)
    async with client_of(etcd, *others) as client:
        await client.put(b"/a", b"1")
        await client.put(b"/a", b"2")
        assert client.endpoint == others[0].url
    assert [len(fake.asked) for fake in (etcd, *others)] == [1, 2, 0]


async def test_https_to_a_port_without_tls_is_said() -> None:
    """etcd closes such a connection without a word, and asyncio's error for that has no text."""

    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with await asyncio.start_server(closes, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        error = await fault(EtcdClient([url]))
    assert error.what == f"etcd at {url} closed the connection at the TLS handshake"
    assert "does it speak TLS" in error.hint


async def test_a_member_that_does_not_answer_is_left(etcd: FakeEtcd, others: list[FakeEtcd]) -> None:
    etcd.plays["kv/put"] = etcd.hang
    async with client_of(etcd, *others) as client:
        await client.put(b"/a", b"1")
        assert client.endpoint == others[0].url


async def test_when_all_fail_each_reason_is_told(etcd: FakeEtcd, others: list[FakeEtcd]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        others[1].url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        etcd.plays["kv/put"] = lambda *_: refusal("etcdserver: no leader")
        others[0].plays["kv/put"] = others[0].hang
        told = await fault(client_of(etcd, *others))
    assert told.what == (
        f"none of 3 etcd endpoints can be used: etcd at {etcd.url} has no leader; "
        f"etcd at {others[0].url} does not answer in time; etcd at {others[1].url} refuses connections"
    )
    assert "elects a leader, or has lost most of its members" in told.hint


@pytest.mark.parametrize("series", ["3.4", "3.5"])
@pytest.mark.parametrize(
    ("message", "kind", "said", "hint"),
    [
        ("etcdserver: permission denied", DeniedError, "does not permit it (put)", "etcdctl role grant-permission"),
        ("etcdserver: request is too large", DeniedError, "does not take so large a value", "1.5 MB"),
        ("etcdserver: requested lease not found", LeaseGoneError, "has no such lease", ""),
        ("etcdserver: lease already exists", LeaseExistsError, "has that lease already", ""),
        ("etcdserver: user name is empty", LoginError, "wants a user", "set username"),
        ("etcdserver: mvcc: database space exceeded", EtcdError, "is full", "alarm disarm"),
        ("etcdserver: mvcc: required revision has been compacted", CompactedError, "has forgotten", ""),
        ("etcdserver: something new", EtcdError, "answers kv/put with: something new", ""),
    ],
)
async def test_what_no_member_will_do_is_said_at_once(
    etcd: FakeEtcd,
    others: list[FakeEtcd],
    message: str,
    kind: type[EtcdError],
    said: str,
    hint: str,
    series: str,
) -> None:
    etcd.plays["kv/put"] = lambda *_: refusal(message, 3, 400, series=series)
    told = await fault(client_of(etcd, *others))
    assert type(told) is kind
    assert f"etcd at {etcd.url}" in told.what
    assert said in told.what
    assert hint in told.hint
    assert not others[0].asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(text="404 page not found", status=404), "is not etcd 3.4 or newer: no kv/put"),
        (web.Response(text="<html>hello"), "is not etcd: kv/put gave '<html>hello'"),
        (web.json_response(["hello"]), "is not etcd: kv/put gave"),
        (web.Response(text="bad gateway", status=502), "answers kv/put with: bad gateway"),
        (web.Response(text="CommonName of client sending a request", status=400), "refuses the client certificate"),
    ],
)
async def test_what_is_not_etcd_is_told_apart(etcd: FakeEtcd, answer: web.Response, said: str) -> None:
    etcd.plays["kv/put"] = lambda *_: answer
    assert said in (await fault(client_of(etcd))).what


@pytest.mark.parametrize(
    "answer", [{}, {"header": {}}, {"header": HEADER, "kvs": [{}]}, {"header": HEADER, "kvs": [{"key": 5}]}]
)
async def test_an_answer_that_makes_no_sense_is_a_fault(etcd: FakeEtcd, answer: dict[str, Any]) -> None:
    etcd.plays["kv/range"] = lambda *_: answer
    async with client_of(etcd) as client:
        with pytest.raises(EtcdError, match="is not etcd"):
            await client.list(b"/")


def asks_for_tokens(fake: FakeEtcd, *valid: str) -> None:
    """Let it give out these tokens in order, and take only the last one given."""
    given = list[str]()

    def authenticate(_: web.Request, document: dict[str, Any]) -> dict[str, Any]:
        assert document == {"name": "shop", "password": "secret"}
        given.append(valid[len(given)])
        return {"header": HEADER, "token": given[-1]}

    def put(request: web.Request, _: dict[str, Any]) -> dict[str, Any] | web.Response:
        token = request.headers.get("Authorization")
        if token is None:
            return refusal("etcdserver: user name is empty", 3, 400)
        return {"header": HEADER} if token == given[-1] else refusal("etcdserver: invalid auth token", 16, 401)

    fake.plays |= {"auth/authenticate": authenticate, "kv/put": put}


SHOP = Login("shop", lambda: "secret")


async def test_many_requests_share_one_login(etcd: FakeEtcd) -> None:
    asks_for_tokens(etcd, "first")
    async with client_of(etcd, login=SHOP) as client:
        await asyncio.gather(*(client.put(b"/a", b"1") for _ in range(10)))
    assert etcd.paths.count("auth/authenticate") == 1


async def test_a_token_that_is_not_taken_any_more_is_renewed_once_for_all(etcd: FakeEtcd) -> None:
    asks_for_tokens(etcd, "first", "second")
    async with client_of(etcd, login=SHOP) as client:
        await client.put(b"/a", b"1")
        client._gateway._token = "of another time"
        await asyncio.gather(*(client.put(b"/a", b"1") for _ in range(10)))
    assert etcd.paths.count("auth/authenticate") == 2


async def test_where_authentication_is_off_no_token_is_sent_until_it_is_on(etcd: FakeEtcd) -> None:
    etcd.plays["auth/authenticate"] = lambda *_: refusal("etcdserver: authentication is not enabled", 9, 412)
    async with client_of(etcd, login=SHOP) as client:
        await client.put(b"/a", b"1")
        assert "Authorization" not in etcd.headers[-1]
        asks_for_tokens(etcd, "first")
        await client.put(b"/a", b"1")
        assert etcd.headers[-1]["Authorization"] == "first"


async def test_a_denial_without_a_token_is_a_reason_to_log_in(etcd: FakeEtcd) -> None:
    """With client certificates etcd says "permission denied" to whom it does not know."""
    etcd.plays["auth/authenticate"] = lambda *_: refusal("etcdserver: authentication is not enabled", 9, 412)
    async with client_of(etcd, login=SHOP) as client:
        await client.put(b"/a", b"1")
        asks_for_tokens(etcd, "first")
        taking = etcd.plays["kv/put"]

        def put(request: web.Request, document: dict[str, Any]) -> Any:
            if "Authorization" not in request.headers:
                return refusal("etcdserver: permission denied", 7, 403)
            return taking(request, document)

        etcd.plays["kv/put"] = put
        await client.put(b"/a", b"1")


async def test_a_lease_that_is_gone_is_told_by_a_success_without_a_ttl(etcd: FakeEtcd) -> None:
    etcd.plays["lease/keepalive"] = lambda *_: {"result": {"header": HEADER, "ID": "5"}}
    async with client_of(etcd) as client:
        with pytest.raises(LeaseGoneError):
            await client.keep_alive(5)
