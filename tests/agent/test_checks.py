"""Admission: newcomers are probed, what runs in HAProxy stays, and only READY endpoints are asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from longshore.agent.checks import Admission, key_of
from longshore.core.capabilities import TYPICAL
from longshore.core.model import Check, Endpoint, EndpointState, Policy, Service
from longshore.core.running import Running
from longshore.core.wanted import Wanter
from tests.agent.serving import DEADLINE, http, serving
from tests.core.test_plan import PATHS, started, wanted_of

CAPS = TYPICAL[2, 6]


def web(port: int, **fields: object) -> Service:
    return Service("web", endpoints=(Endpoint("a:80", "a", "127.0.0.1", port, **fields),))  # type: ignore[arg-type]


async def test_a_newcomer_serves_after_it_answered() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    admission = Admission(told.put_nowait)
    wanter = Wanter(CAPS, PATHS)
    async with serving(http("HTTP/1.1 200 OK")) as port:
        service = replace(web(port), policy=Policy(check=Check("http")))
        made = wanter.servers(service)["a:80"]
        admission.ask([service], wanter, None)
        assert not admission.serves(service, service.endpoints[0], made)
        assert admission.waits(service, made)
        assert await asyncio.wait_for(told.get(), DEADLINE) == "web"
        assert admission.serves(service, service.endpoints[0], made)
        await admission.prober.close()


async def test_what_runs_in_haproxy_is_not_asked() -> None:
    wanter = Wanter(CAPS, PATHS)
    service = web(1)
    running: Running = started(wanted_of(wanter, [service]), CAPS)
    admission = Admission(lambda _: None)
    admission.ask([service], wanter, running)
    assert admission.prober.idle()
    assert admission.serves(service, service.endpoints[0], wanter.servers(service)["a:80"])
    await admission.prober.close()


async def test_waiting_and_stopping_endpoints_are_not_asked() -> None:
    wanter = Wanter(CAPS, PATHS)
    admission = Admission(lambda _: None)
    for state in (EndpointState.WAITING, EndpointState.STOPPING):
        admission.ask([web(1, state=state)], wanter, None)
        assert admission.prober.idle()
    await admission.prober.close()


async def test_without_a_check_a_newcomer_serves_at_once() -> None:
    wanter = Wanter(CAPS, PATHS)
    admission = Admission(lambda _: None)
    service = replace(web(1), policy=Policy(check=Check("none")))
    admission.ask([service], wanter, None)
    made = wanter.servers(service)["a:80"]
    assert admission.serves(service, service.endpoints[0], made)
    assert key_of(service, made) in admission.prober.admitted
    await admission.prober.close()
