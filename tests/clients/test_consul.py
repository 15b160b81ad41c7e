"""The Consul client: when an index is to be trusted, and what is said when something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from longshore.clients.consul import ConsulClient
from longshore.clients.consul_connect import client_of as connected
from longshore.clients.consul_faults import CheckGoneError, ConsulError, DeniedError
from longshore.config.registries import ConsulSource
from tests.clients.fake_consul import FakeConsul, client_of, listed

PATH = "health/state/any"


@pytest.fixture
async def fake() -> AsyncIterator[FakeConsul]:
    async with FakeConsul().serving() as consul:
        yield consul


async def followed(fake: FakeConsul, count: int, *, every: bool = False) -> list[bytes]:
    """Return the first `count` answers that a follower is given."""
    found = list[bytes]()
    async with client_of(fake) as client:
        async for body in client.follow(PATH, every=every):
            found.append(body)
            if len(found) == count:
                break
    return found


async def fault(fake: FakeConsul, path: str = PATH) -> ConsulError:
    with pytest.raises(ConsulError) as caught:
        async with client_of(fake) as client:
            await client.get(path)
    return caught.value


async def test_what_is_different_is_given_once(fake: FakeConsul) -> None:
    """The same index (the time was over) and another index about something else are no news."""
    fake.play(PATH, listed([1], 7), listed([1], 7), listed([1], 8), listed([2], 9))
    assert await followed(fake, 2) == [b"[1]", b"[2]"]
    assert fake.indexes(PATH) == ["", "7", "7", "8"]
    assert all("wait" in query for path, query in fake.asked if path == PATH and "index" in query)


async def test_where_something_else_is_watched_each_new_index_counts(fake: FakeConsul) -> None:
    fake.play(PATH, listed([1], 7), listed([1], 7), listed([1], 8), listed([1], 9))
    assert await followed(fake, 3, every=True) == [b"[1]", b"[1]", b"[1]"]
    assert fake.indexes(PATH) == ["", "7", "7", "8"]


async def test_an_index_that_goes_back_is_not_used(fake: FakeConsul) -> None:
    """A restored snapshot begins at a low index: waiting for the old one would never end."""
    fake.play(PATH, listed([1], 90), listed([1], 3), listed([2], 3), listed([3], 4))
    assert await followed(fake, 3) == [b"[1]", b"[2]", b"[3]"]
    assert fake.indexes(PATH) == ["", "90", "", "3"]


async def test_an_index_of_zero_is_not_waited_for(fake: FakeConsul) -> None:
    fake.play(PATH, listed([1], 0), listed([2], 5))
    assert await followed(fake, 2) == [b"[1]", b"[2]"]
    assert fake.indexes(PATH) == ["", ""]


async def test_no_leader_is_a_fault_and_not_an_empty_list(fake: FakeConsul) -> None:
    fake.play(PATH, web.Response(status=500, text="No cluster leader"))
    said = await fault(fake)
    assert said.what == f"Consul at {fake.address} has no leader"
    assert "most of them are lost" in said.hint
    fake.play(PATH, listed([], 7, leader=False))
    assert (await fault(fake)).what == said.what


async def test_a_held_back_query_is_given_up_when_the_leader_is_gone(fake: FakeConsul) -> None:
    fake.play("status/leader", web.json_response("127.0.0.1:8300"), web.json_response(""))
    async with client_of(fake) as client:
        with pytest.raises(ConsulError, match="has no leader"):
            await client.watch_leader()


@pytest.mark.parametrize(
    ("response", "what", "hint"),
    [
        (web.Response(status=403, text="ACL not found"), "does not know the token", "check token-file"),
        (web.Response(status=403, text="Permission denied"), "does not permit health/state/any", "node_prefix"),
        (web.Response(status=500, text="rpc error making call: ACL not found"), "does not know the token", ""),
        (web.Response(status=500, text="No known Consul servers"), "knows no server", "joined"),
        (web.Response(status=500, text="No path to datacenter"), "no such datacenter", "check datacenter"),
        (
            web.Response(status=500, text="rpc error getting client: failed to get conn: dial tcp: refused"),
            "does not reach the servers",
            "",
        ),
        (
            web.Response(status=500, text="rpc error making call: odd\nmore"),
            "answers health/state/any with 500: odd",
            "",
        ),
        (web.Response(status=404, text="404 page not found"), "is not Consul: no health/state/any", "1.8 or newer"),
        (web.Response(text="<html>welcome</html>"), "is not Consul: health/state/any gave '<html>", "address"),
        (web.Response(status=400, text="Client sent an HTTP request to an HTTPS server."), "wants TLS", "https://"),
    ],
)
async def test_what_is_wrong_is_said_with_the_cure(
    fake: FakeConsul, response: web.Response, what: str, hint: str
) -> None:
    fake.play(PATH, response)
    said = await fault(fake)
    assert what in said.what
    assert hint in said.hint


async def test_an_agent_that_says_nothing_or_breaks_off_is_said(fake: FakeConsul) -> None:
    fake.play(PATH, fake.hang)
    assert "does not answer in time" in (await fault(fake)).what

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"X-Consul-Index": "7", "Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'[{"Node":')
        assert request.transport
        request.transport.close()
        return response

    fake.play(PATH, half)
    assert "broke off in the middle" in (await fault(fake)).what


async def test_no_keys_under_a_prefix_are_an_empty_list(fake: FakeConsul) -> None:
    fake.play("kv/none/", lambda _: web.Response(status=404, headers={"X-Consul-Index": "3"}))
    async with client_of(fake) as client:
        assert await client.get("kv/none/") == (3, b"[]")
    assert "is not Consul" in (await fault(fake, "kv/elsewhere/")).what


async def test_a_check_that_is_gone_is_told_from_other_trouble(fake: FakeConsul) -> None:
    """1.8 says 500 and one text, newer ones 404 and another."""
    path = "agent/check/update/longshore:web/1"
    async with client_of(fake) as client:
        for status, text in ((500, 'CheckID "x" does not have associated TTL'), (404, 'Unknown check ID "x"')):
            fake.play(path, web.Response(status=status, text=text))
            with pytest.raises(CheckGoneError):
                await client.renew("longshore:web/1")
        fake.play(path, web.Response(status=403, text="Permission denied"))
        with pytest.raises(DeniedError) as denied:
            await client.renew("longshore:web/1")
        assert 'service_prefix "" { policy = "write" }' in denied.value.hint


async def test_keys_are_written_under_a_condition(fake: FakeConsul) -> None:
    fake.play("kv/a/b", web.Response(text="true"), web.Response(text="false"), web.Response(text="true"))
    async with client_of(fake, datacenter="dc2") as client:
        assert await client.put("a/b", b"one", cas=0)
        assert not await client.put("a/b", b"two", cas=0)
        assert await client.delete("a/b")
    assert [query for _, query in fake.asked] == [{"dc": "dc2", "cas": "0"}, {"dc": "dc2", "cas": "0"}, {"dc": "dc2"}]
    assert fake.bodies[:2] == [b"one", b"two"]


async def test_odd_ids_reach_the_agent_as_they_are(fake: FakeConsul) -> None:
    odd = "wéb/a b?c#d%2Fe:80"
    fake.play(f"agent/service/deregister/{odd}", web.Response())
    async with client_of(fake) as client:
        await client.deregister(odd)


async def test_the_token_is_read_for_each_request(fake: FakeConsul, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    fake.play(PATH, listed([]))
    async with connected(ConsulSource(address=fake.address, token_file=file)) as client:
        await client.get(PATH)
        file.write_text("second")
        await client.get(PATH)
        assert fake.tokens == ["first", "second"]
        file.write_text("two words")
        with pytest.raises(ConsulError, match="holds no token"):
            await client.get(PATH)
        file.unlink()
        with pytest.raises(ConsulError, match=f"token-file {file}: No such file"):
            await client.get(PATH)


async def test_a_unix_socket_will_do(tmp_path: Path) -> None:
    async with FakeConsul().serving(str(tmp_path / "http.sock")) as fake:
        fake.play(PATH, listed([1]))
        async with client_of(fake, datacenter="dc2") as client:
            assert (await client.get(PATH)).body == b"[1]"
        assert fake.asked == [(PATH, {"dc": "dc2"})]
    with pytest.raises(ConsulError, match="does not exist"):
        async with ConsulClient(f"unix://{tmp_path}/none") as client:
            await client.get(PATH)
