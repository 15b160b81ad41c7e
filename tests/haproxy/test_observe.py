"""What is read from HAProxy's statistics."""

from __future__ import annotations

from typing import cast

import pytest

from longshore.clients.haproxy import RuntimeClient
from longshore.haproxy.observe import ServerStat, stats

KEY = ("s:web", "web-1.1f0c9ab2")


class Told:
    """A HAProxy that says this of its one server."""

    def __init__(self, status: str, check: str, code: str, text: str) -> None:
        self._answer = f"# pxname,svname,scur,stot,status,lastchg,check_status,check_code,last_chk,\n\
{','.join(KEY)},1,5,{status},7,{check},{code},{text},\n"

    async def ask(self, line: str) -> str:
        assert line == "show stat -1 4 -1"
        return self._answer


async def asked(told: Told, before: ServerStat | None = None) -> ServerStat:
    return (await stats(cast(RuntimeClient, told), {KEY: before} if before else None))[KEY]


@pytest.mark.parametrize(
    ("check", "code", "text", "said"),
    [
        ("L7STS", "503", "Service Unavailable", "L7STS 503: Service Unavailable"),
        ("L4CON", "", "Connection refused", "L4CON: Connection refused"),
        ("L4TOUT", "", "", "L4TOUT"),
        ("", "", "", ""),
    ],
)
async def test_the_result_of_a_check_is_told_for_people(check: str, code: str, text: str, said: str) -> None:
    assert await asked(Told("DOWN", check, code, text)) == ServerStat("DOWN", 1, 5, 7, said)


async def test_while_a_check_is_under_way_the_last_result_stays() -> None:
    """Unless the server's state has changed since: it was about the state before."""
    before = await asked(Told("DOWN", "L7STS", "503", "no"))
    under_way = Told("DOWN", "* L7STS", "0", "")
    assert (await asked(under_way, before)).check == "L7STS 503: no"
    assert (await asked(under_way)).check == "L7STS"
    assert (await asked(Told("UP", "* L7OK", "0", ""), before)).check == "L7OK"
