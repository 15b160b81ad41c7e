"""An endpoint that does not answer its first check for a while is a problem, until it answers or is gone."""

from __future__ import annotations

import socket
import time

from longshore.agent.checks import SILENCE, Admission
from longshore.core.capabilities import TYPICAL
from longshore.core.model import Endpoint, Service
from longshore.core.wanted import Wanter
from tests.core.test_plan import PATHS
from tests.lab.waiting import eventually


async def test_who_stays_silent_becomes_a_problem_once_and_only_while_it_lasts() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # not listening
        port = deaf.getsockname()[1]
        service = Service("web", endpoints=(Endpoint("a:80", "a", "127.0.0.1", port),))
        told: list[str] = []
        admission = Admission(told.append)
        wanter = Wanter(TYPICAL[2, 6], PATHS)
        admission.ask([service], wanter, None)
        await eventually(lambda: "refused" in admission.waits(service, wanter.servers(service)["a:80"]))
        now = time.monotonic()
        assert not admission.overdue(now)
        assert not admission.problems

        assert admission.overdue(now + SILENCE)
        (problem,) = admission.problems
        assert (problem.where, problem.service) == ("service web", "web")
        assert f"127.0.0.1:{port} has not answered its first check: connection refused" in problem.what
        admission.ask([service], wanter, None)
        assert not admission.overdue(now + SILENCE + 1), "it is the same problem still"

        deaf.listen()
        await eventually(lambda: told == ["web"])
        assert admission.overdue(now + SILENCE + 2)
        assert not admission.problems
    await admission.prober.close()


async def test_who_is_gone_is_no_problem() -> None:
    admission = Admission(lambda _: None)
    wanter = Wanter(TYPICAL[2, 6], PATHS)
    service = Service("web", endpoints=(Endpoint("a:80", "a", "127.0.0.1", 1),))
    admission.ask([service], wanter, None)
    assert admission.overdue(time.monotonic() + SILENCE)
    admission.ask([], wanter, None, gone=["web"])
    assert admission.overdue(time.monotonic() + SILENCE)
    assert not admission.problems
    await admission.prober.close()
