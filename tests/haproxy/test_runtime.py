"""The runtime client against real sockets: every version frames and judges its replies alike for us."""

from __future__ import annotations

import pytest

from longshore.clients.haproxy import RuntimeClient, command, with_payload
from longshore.clients.haproxy_faults import HAProxyError
from tests.haproxy.plain import plain
from tests.lab.haproxy import every_version

pytestmark = pytest.mark.system


@every_version
async def test_a_thousand_pipelined_commands_get_a_thousand_replies_each_its_own(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        lines = []
        for n in range(300):
            lines += [
                f"add server app/s{n} 127.0.0.1:1 weight {n % 256}",
                f"get weight app/s{n}",
                f"set weight app/missing{n} 1",
                "no such command",
                f"del server app/s{n}",
            ]
        replies = await process.runtime().run(lines)
        assert [r.ok for r in replies] == [True, True, False, False, True] * 300
        assert [r.text for r in replies[1::5]] == [f"{n % 256} (initial {n % 256})" for n in range(300)]
        assert {r.text for r in replies[2::5]} == {"No such server."}
        assert {r.severity for r in replies[2::5]} == {3}
        assert {r.text for r in replies[4::5]} == {"Server deleted."}


@every_version
async def test_words_arrive_as_they_were_meant(series: str) -> None:
    """Keys and values of a map with spaces, quotes, backslashes, hashes and other scripts."""
    async with plain(series) as here:
        here.put(f"{here.paths.folder}/test.map", "")
        process = here.managed()
        path = f"{here.paths.folder}/test.map"
        await process.start(here.config(more=f"    http-request set-header x %[path,map({path})]\n"))
        pairs = {
            "a.test/#": "s:web",
            "back\\slash": "a\\\\b",
            "quo\"te'": 'it\'s "so"',
            "spaced": "one two",
            "hash#": "#1",
            "über": "日本",
            "$HOME": "%[env(HOME)]",
            "percent%20": "a|b&c>d`e`",
        }
        replies = await process.runtime().run([command("add", "map", path, k, v) for k, v in pairs.items()])
        assert all(r.ok for r in replies), replies
        shown = (await process.runtime().ask(command("show", "map", path))).splitlines()
        assert {tuple(line.split(" ", 2)[1:]) for line in shown} == set(pairs.items())


@every_version
async def test_payloads_between_other_commands_keep_the_replies_apart(series: str) -> None:
    async with plain(series) as here:
        path = f"{here.paths.folder}/test.map"
        here.put(path, "")
        process = here.managed()
        await process.start(here.config(more=f"    http-request set-header x %[path,map({path})]\n"))
        entries = [f"key{n} value; of {n}" for n in range(200)]
        before, added, wrong, after = await process.runtime().run(
            [
                "show version",
                with_payload(command("add", "map", path), entries),
                with_payload("add map nowhere", ["a 1"]),
                command("show", "map", path),
            ]
        )
        assert (before.ok, added.ok, added.text, wrong.ok) == (True, True, "", False)
        assert [line.split(" ", 1)[1] for line in after.text.splitlines()] == entries


@every_version
async def test_a_connection_left_alone_by_a_reload_is_renewed_on_request(series: str) -> None:
    """A persistent connection stays with the old worker; `renew` finds out and goes over."""
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        async with RuntimeClient(here.paths.socket) as other:
            assert not (await other.renew() and await other.renew())
            old = other.pid
            reloaded = await process.reload(here.config("second"), "test")
            assert (await other.info())["Pid"] == str(old)
            assert await other.renew()
            assert other.pid == reloaded.pid


@every_version
async def test_a_socket_that_may_not_command_is_an_error_with_a_hint(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        low = f"stats socket {here.paths.folder}/low.sock mode 600 level user"
        await process.start(here.config(extra=low))
        async with RuntimeClient(f"{here.paths.folder}/low.sock") as client:
            with pytest.raises(HAProxyError, match="Permission denied"):
                await client.ask("set weight app/one 1")


async def test_deleting_a_backend_is_judged_by_its_own_message() -> None:
    """3.4 may put messages of earlier commands before the answer."""
    async with plain("3.4") as here:
        process = here.managed()
        named = here.config().replace("defaults\n", "defaults p-1\n")
        await process.start(named)
        replies = await process.runtime().run(
            [
                "add backend s:x from p-1",
                "add server s:x/a 127.0.0.1:1",
                "del backend s:x",
                "del server s:x/a",
                "del backend s:x",
                "del backend s:x",
            ]
        )
        assert [r.ok for r in replies] == [True, True, False, True, True, False]
