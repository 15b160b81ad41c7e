"""Following etcd, against a gateway in this process: batches, ends with their reasons, members that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from longshore.clients.etcd import EtcdClient
from longshore.clients.etcd_faults import CompactedError, DeniedError, EtcdError
from longshore.clients.etcd_wire import Change, text
from tests.clients.fake_etcd import HEADER, FakeEtcd, client_of


@pytest.fixture
async def etcd() -> AsyncIterator[FakeEtcd]:
    async with FakeEtcd().serving() as fake:
        yield fake


@pytest.fixture
async def others() -> AsyncIterator[list[FakeEtcd]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(FakeEtcd().serving()) for _ in range(2)]


def line(**result: Any) -> bytes:
    return json.dumps({"result": {"header": HEADER, **result}}).encode() + b"\n"


def put_event(key: bytes, value: bytes) -> dict[str, Any]:
    return {"kv": {"key": text(key), "value": text(value), "mod_revision": "7"}}


async def read(client: EtcdClient) -> list[tuple[Change, ...]]:
    got = list[tuple[Change, ...]]()
    async with client.watch(b"/a/", 1) as batches:
        async for changes in batches:
            got.append(changes)
    return got


async def test_changes_come_in_batches_and_lines_without_any_are_passed_over(etcd: FakeEtcd) -> None:
    gone = {"type": "DELETE", "kv": {"key": text(b"/a/1"), "mod_revision": "8"}}
    whole = line(events=[put_event(b"/a/1", b"one"), put_event(b"/a/2", b"")])
    etcd.plays["watch"] = etcd.streaming(line(created=True), whole[:40], whole[40:], b"\n", line(), line(events=[gone]))
    async with client_of(etcd) as client, client.watch(b"/a/", 1) as batches:
        assert await anext(batches) == (Change(b"/a/1", b"one", 7), Change(b"/a/2", b"", 7))
        assert await anext(batches) == (Change(b"/a/1", None, 8),)
    asked = etcd.asked[0][1]["create_request"]
    assert asked == {"key": text(b"/a/"), "range_end": text(b"/a0"), "start_revision": "1", "fragment": True}


@pytest.mark.parametrize(
    ("last", "kind", "said"),
    [
        (line(canceled=True, compact_revision="5"), CompactedError, "has forgotten what was before revision 5"),
        (
            line(
                canceled=True, cancel_reason="rpc error: code = PermissionDenied desc = etcdserver: permission denied"
            ),
            DeniedError,
            "does not permit it (watch)",
        ),
        (line(canceled=True), EtcdError, "the watch was ended"),
        (b'{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}\n', EtcdError, "has no leader"),
        (b'{"error":{"code":14,"message":"etcdserver: no leader"}}', EtcdError, "has no leader"),
        (b"hello\n", EtcdError, "is not etcd"),
        (b'{"result": {"events": [{}]}}\n', EtcdError, "is not etcd"),
        (b"", EtcdError, "ended the watch"),
    ],
)
async def test_a_watch_that_ends_says_why(etcd: FakeEtcd, last: bytes, kind: type[EtcdError], said: str) -> None:
    etcd.plays["watch"] = etcd.streaming(line(created=True), *([last] if last else []), close=True)
    async with client_of(etcd) as client:
        with pytest.raises(kind) as told:
            await read(client)
    assert said in told.value.what


async def test_a_watch_without_leader_is_refused_and_the_next_member_used(
    etcd: FakeEtcd, others: list[FakeEtcd]
) -> None:
    etcd.plays["watch"] = lambda *_: web.json_response(
        {"error": {"code": 14, "message": "etcdserver: no leader"}}, status=503
    )
    async with client_of(etcd, *others) as client:
        with pytest.raises(EtcdError, match="has no leader"):
            await read(client)
        assert client.endpoint == others[0].url


async def test_a_quiet_watch_at_a_member_that_gives_no_sign_of_life_is_given_up(
    etcd: FakeEtcd, others: list[FakeEtcd]
) -> None:
    """Only that member is asked: another one being well says nothing."""
    etcd.plays |= {"watch": etcd.streaming(line(created=True)), "kv/range": etcd.hang}
    async with client_of(etcd, *others) as client:
        with pytest.raises(EtcdError, match="does not answer in time"):
            await read(client)
        assert client.endpoint == others[0].url
    assert not others[0].asked


async def test_a_quiet_watch_at_a_member_that_lives_goes_on(etcd: FakeEtcd) -> None:
    released = asyncio.Event()

    async def play(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await released.wait()
        await response.write(line(events=[put_event(b"/a/1", b"one")]))
        return response

    etcd.plays["watch"] = play

    def range_(*_: Any) -> dict[str, Any]:
        if etcd.paths.count("kv/range") > 3:
            released.set()
        return {"header": HEADER}

    etcd.plays["kv/range"] = range_
    async with client_of(etcd) as client, client.watch(b"/a/", 1) as batches:
        assert await anext(batches) == (Change(b"/a/1", b"one", 7),)
