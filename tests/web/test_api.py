"""Every way into the API, with a real server and a fake agent behind it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from longshore.web.api import ROUTES
from tests.web.conftest import Served

JSON = {"Content-Type": "application/json"}


async def get(served: Served, path: str, status: int = 200) -> Any:
    async with served.socket.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def post(served: Served, path: str, body: Any, status: int = 200) -> Any:
    async with served.socket.post(path, json=body) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def test_the_status_has_everything_in_plain_json(served: Served) -> None:
    status = await get(served, "/v1/status")
    assert status["haproxy"]["version"] == "3.4.1"
    assert status["services"][0]["routes"][1] == {"host": "shop.localhost", "path": "/api", "exact": True, "listen": ""}
    assert [e["state"] for e in status["services"][0]["endpoints"]] == ["up", "checking"]
    assert status["problems"][0]["hint"] == "mend it"


async def test_the_status_after_a_known_one_waits_for_the_next_change(served: Served) -> None:
    asked = asyncio.create_task(get(served, "/v1/status?after=1&timeout=30"))
    await served.agent.put("shop-web-2", "up")
    status = await asked
    assert status["seq"] == 2
    assert (await get(served, "/v1/status?after=1"))["seq"] == 2, "what has changed already is answered at once"


async def test_explain_passes_the_url_on(served: Served) -> None:
    told = await get(served, "/v1/explain?url=http%3A%2F%2Fshop.localhost%2Fx%3Fy%3D1")
    assert (told["url"], told["service"]) == ("http://shop.localhost/x?y=1", "shop-web")
    assert told["endpoints"][1]["seen"]["state"] == "waiting"
    assert (await get(served, "/v1/explain?url=nonsense", 409))["hint"] == "like http://a.test/"
    assert "like /v1/explain?url=" in (await get(served, "/v1/explain", 400))["hint"]


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/v1/drain", {"service": "shop-web"}, ("drain", "shop-web", None)),
        ("/v1/drain", {"service": "shop-web", "endpoint": "shop-web-1"}, ("drain", "shop-web", "shop-web-1")),
        ("/v1/drain", {"service": "shop-web", "maint": True}, ("maint", "shop-web", None)),
        ("/v1/ready", {"service": "shop-web"}, ("ready", "shop-web", None)),
        ("/v1/weight", {"service": "shop-web", "weight": 0}, ("weight", "shop-web", None, 0)),
        ("/v1/weight", {"service": "shop-web", "weight": None}, ("weight", "shop-web", None, None)),
        ("/v1/reload", {"reason": "why not"}, ("reload", "why not")),
        ("/v1/reload", {}, ("reload", "asked for over the API")),
        ("/v1/mend", {}, ("mend",)),
        ("/v1/thaw", {"source": "etcd"}, ("thaw", "etcd")),
    ],
)
async def test_an_operator_can_ask_for(served: Served, path: str, body: Any, asked: tuple[object, ...]) -> None:
    await post(served, path, body)
    assert served.agent.asked == [asked]


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/v1/drain", {}, "missing in the body: service"),
        ("/v1/drain", {"service": 1}, "the service is not a name"),
        ("/v1/drain", {"service": "a", "endpoint": ""}, "the endpoint is neither"),
        ("/v1/drain", {"service": "a", "maint": "yes"}, "maint is neither"),
        ("/v1/drain", {"service": "a", "endpont": "b"}, "unknown in the body: endpont"),
        ("/v1/weight", {"service": "a"}, "missing in the body: weight"),
        ("/v1/weight", {"service": "a", "weight": 257}, "not a whole number from 0 to 256"),
        ("/v1/weight", {"service": "a", "weight": -1}, "not a whole number"),
        ("/v1/weight", {"service": "a", "weight": True}, "not a whole number"),
        ("/v1/weight", {"service": "a", "weight": 1.5}, "not a whole number"),
        ("/v1/reload", {"reason": ["a"]}, "the reason is not text"),
        ("/v1/mend", ["a"], "not a JSON object"),
        ("/v1/thaw", {}, "missing in the body: source"),
        ("/v1/thaw", {"source": ""}, "the source is not a name"),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused_and_nothing_is_done(
    served: Served, path: str, body: Any, error: str
) -> None:
    assert error in (await post(served, path, body, 400))["error"]
    assert served.agent.asked == []


@pytest.mark.parametrize("text", ["{", "\udcff".encode("utf-8", "surrogateescape"), "[" * 50_000, '{"service": NaN'])
async def test_a_body_that_is_not_json_is_refused(served: Served, text: str | bytes) -> None:
    async with served.socket.post("/v1/drain", data=text, headers=JSON) as response:
        assert response.status == 400
        assert "not JSON" in (await response.json())["error"]


async def test_a_body_of_any_size_is_not_read(served: Served) -> None:
    async with served.socket.post("/v1/drain", data=b" " * 1_000_000, headers=JSON) as response:
        assert response.status == 413


async def test_what_does_not_exist_is_404_and_what_cannot_be_done_409(served: Served) -> None:
    answer = await post(served, "/v1/drain", {"service": "shop"}, 404)
    assert answer == {"error": "no service shop", "hint": "services: shop-web"}
    assert await post(served, "/v1/weight", {"service": "a", "weight": 13}, 409) == {
        "error": "not 13",
        "hint": "another number",
    }


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/wait", "no service"),
        ("/v1/wait?service=a&count=x", "count is not a whole number"),
        ("/v1/wait?service=a&count=-1", "count is not a whole number"),
        ("/v1/wait?service=a&count=" + "9" * 400, "count is not a whole number"),
        ("/v1/wait?service=a&timeout=nan", "timeout is not a number"),
        ("/v1/wait?service=a&timeout=-1", "timeout is not a number"),
        ("/v1/wait?service=a&timeout=1e9", "timeout is not a number"),
        ("/v1/events?after=x", "after is not a whole number"),
        ("/v1/status?after=%C2%B2", "after is not a whole number"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(served: Served, path: str, error: str) -> None:
    assert error in (await get(served, path, 400))["error"]


async def test_errors_are_json_everywhere(served: Served) -> None:
    assert "nothing at /nowhere" in (await get(served, "/nowhere", 404))["error"]
    assert (await get(served, "/v1/drain", 405))["hint"] == "possible: POST"
    served.agent.broken = True
    answer = await get(served, "/v1/explain?url=a", 500)
    assert "secret" not in str(answer)


async def test_the_index_lists_every_address(served: Served) -> None:
    async with served.tcp.get("/") as response:
        text = await response.text()
    assert all(path in text for _, path, _, _ in ROUTES)


async def test_probes(served: Served) -> None:
    from dataclasses import replace

    async with served.tcp.get("/healthz") as response:
        assert response.status == 200
    async with served.tcp.get("/readyz") as response:
        assert (response.status, await response.text()) == (200, "ready\n")
    await served.agent.change(replace(served.agent.status(), unserved=("node",)))
    async with served.tcp.get("/readyz") as response:
        assert (response.status, "not every service" in await response.text()) == (200, True)
    await served.agent.change(replace(served.agent.status(), ready=False))
    async with served.tcp.get("/readyz") as response:
        assert response.status == 503


async def test_metrics_are_those_of_the_status(served: Served) -> None:
    async with served.tcp.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = (await response.text()).splitlines()
    assert 'longshore_info{haproxy="3.4.1",version="1.2.3"} 1.0' in lines
    assert 'longshore_endpoints{service="shop-web",state="up"} 1.0' in lines
    assert 'longshore_source_current{source="docker",type="docker"} 0.0' in lines
    assert "longshore_haproxy_reloads_total 1.0" in lines
    assert 'longshore_routed_seconds_bucket{le="0.005"} 0.0' in lines
