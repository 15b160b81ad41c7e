"""Who is served and who is not."""

from __future__ import annotations

import pytest

from longshore.web.guard import cannot_be_rebound, host_of, is_loopback, tokens_equal
from tests.web.conftest import Served

JSON = {"Content-Type": "application/json"}


async def status_of(served: Served, method: str, path: str, **headers: str) -> int:
    data = "{}" if method == "POST" else None
    async with served.tcp.request(method, path, headers=headers, data=data) as response:
        return response.status


async def test_programs_on_this_machine_need_no_token(served: Served) -> None:
    assert await status_of(served, "GET", "/v1/status") == 200
    assert await status_of(served, "POST", "/v1/mend", **JSON) == 200


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8404", "127.0.0.1.evil.test", "localhost.evil.test"])
async def test_a_name_that_someone_else_may_have_pointed_here_is_refused(served: Served, host: str) -> None:
    assert await status_of(served, "GET", "/v1/status", Host=host) == 403
    assert await status_of(served, "GET", "/healthz", Host=host) == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8404", "127.0.0.1:1", "[::1]:8404", "10.0.0.5", "a.localhost"]
)
async def test_a_name_that_nobody_can_point_here_is_served(served: Served, host: str) -> None:
    assert await status_of(served, "GET", "/v1/status", Host=host) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(served: Served, headers: dict[str, str]) -> None:
    assert await status_of(served, "POST", "/v1/mend", **JSON, **headers) == 403
    assert served.agent.asked == []


async def test_a_page_of_our_own_may_ask(served: Served) -> None:
    origin = {"Origin": f"http://127.0.0.1:{served.port}", "Sec-Fetch-Site": "same-origin"}
    assert await status_of(served, "POST", "/v1/mend", **JSON, **origin) == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_a_form_that_a_browser_sends_without_asking_is_refused(served: Served, kind: str) -> None:
    assert await status_of(served, "POST", "/v1/mend", **{"Content-Type": kind}) == 415
    assert served.agent.asked == []


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer s3cre", 401),
        ("Bearer s3crett", 401),
        ("Bearer \u00fc", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("", 401),
    ],
)
async def test_with_a_token_only_who_sends_it_is_served(served_with_token: Served, given: str, status: int) -> None:
    assert await status_of(served_with_token, "GET", "/v1/status", Authorization=given) == status
    assert await status_of(served_with_token, "GET", "/metrics", Authorization=given) == status
    assert await status_of(served_with_token, "POST", "/v1/mend", Authorization=given, **JSON) == status


async def test_a_token_proves_more_than_the_name(served_with_token: Served) -> None:
    headers = {"Authorization": "Bearer s3cret", "Host": "balancer.internal:8404"}
    assert await status_of(served_with_token, "GET", "/v1/status", **headers) == 200


async def test_probes_and_the_socket_need_no_token(served_with_token: Served) -> None:
    assert await status_of(served_with_token, "GET", "/healthz") == 200
    assert await status_of(served_with_token, "GET", "/readyz") == 200
    async with served_with_token.socket.get("/v1/status") as response:
        assert response.status == 200


def test_hosts() -> None:
    assert [host_of(h) for h in ("[::1]:80", "A.test:1", "a.test.", ":80", "[::1", "")] == [
        "::1",
        "a.test",
        "a.test",
        "",
        "",
        "",
    ]
    assert [is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(h) for h in ("", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.test")] == [False] * 5
    assert not cannot_be_rebound("")
    assert not tokens_equal("\udcfc", "a")
