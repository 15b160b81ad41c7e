"""What the socket proxy lets through, and that nothing else ever is."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.clients.docker_events import FILTERS
from longshore.core.engine_filter import LONGEST_HEAD, Passed, Refusal, judge

ID = "f" * 64


def head(line: str, *fields: str, host: str = "docker") -> bytes:
    return "\r\n".join([line, f"Host: {host}", *fields, "", ""]).encode("latin-1")


def get(target: str, *fields: str, host: str = "docker") -> Passed | Refusal:
    return judge(head(f"GET {target} HTTP/1.1", *fields, host=host))


@pytest.mark.parametrize(
    "target",
    [
        "/_ping",
        "/version",
        "/info",
        "/containers/json",
        "/containers/json?all=1",
        f"/containers/{ID}/json",
        "/containers/web-1/json",
        "/containers/a..b/json",
        "/events",
        "/networks",
        f"/networks/{ID}",
        "/services",
        "/services/shop_web",
        "/tasks",
        "/tasks/abc",
        "/nodes",
        "/nodes/self",
    ],
)
def test_what_discovery_reads_is_passed_with_and_without_a_version(target: str) -> None:
    assert get(target) == Passed(target)
    assert get(f"/v1.41{target}") == Passed(f"/v1.41{target}")


def test_the_filters_of_our_own_subscription_arrive_unchanged() -> None:
    passed = get(f"/v1.51/events?{urlencode({'since': '1700000000.5', 'filters': FILTERS})}")
    assert isinstance(passed, Passed)
    path, _, query = passed.target.partition("?")
    assert path == "/v1.51/events"
    assert dict(parse_qsl(query)) == {"since": "1700000000.5", "filters": FILTERS}


def test_head_is_for_the_ping_alone() -> None:
    assert judge(head("HEAD /_ping HTTP/1.1")) == Passed("/_ping", body=False)
    assert isinstance(judge(head("HEAD /events HTTP/1.1")), Refusal)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "GETS", "G\x01T", ""]
)
def test_every_other_method_is_refused(method: str) -> None:
    assert isinstance(judge(head(f"{method} /containers/json HTTP/1.1")), Refusal)


@pytest.mark.parametrize(
    "path",
    [
        "/", "/v1.41", "/v1.41/", "/containers", "/containers/", "/containers/json/", "/containers//json",
        f"/containers/{ID}", f"/containers/{ID}/logs", f"/containers/{ID}/top", f"/containers/{ID}/export",
        f"/containers/{ID}/archive?path=/etc/shadow", f"/containers/{ID}/attach/ws", f"/containers/{ID}/changes",
        f"/containers/{ID}/stats", f"/containers/{ID}/json/../export", f"/exec/{ID}/json", "/images/json",
        "/images/get",
        "/volumes", "/secrets", "/configs", "/swarm", "/swarm/unlockkey", "/plugins", "/system/df",
        "/distribution/x/json",
        "/session", "/grpc", "/build", "/auth", "/services/x/logs", "/tasks/x/logs", "/debug/pprof/", "/metrics",
        "//containers/json", "/./version", "/x/../version", "/containers/../containers/json", "/containers/../json",
        "/containers/./json", "/containers/.../json", "/v1.41//version", "/v1.41/v1.41/version", "/v2.0/version",
        "/v1/version", "/v1.411/version", "/V1.41/version", "/v1.41;/version", "/Version", "/version/", "/version;x",
        "/%76ersion", "/containers%2fjson", "/containers/%2e%2e/json", "/containers/a%00/json",
        "/containers/a%2fb/json",
        "/containers/a;b/json", "/containers/a\\b/json", "\\version", "/version#x", "/version%0d%0aX: y", "/_ping\t",
        "/containers/-rf/json", "/containers/_x/json", f"/containers/{'a' * 256}/json", "/containers/é/json",
        "http://docker/version", "http:///version", "unix://version", "docker:80", "*", "version", "",
    ],
)  # fmt: skip
def test_every_other_path_and_spelling_is_refused(path: str) -> None:
    assert isinstance(get(path), Refusal)


@pytest.mark.parametrize(
    "query",
    [
        "size=1", "all=1&size=true", "all=1&all=2", "filters={}&x", "all=%zz", "all=%", "all=1#x", "all=%0a",
        "all=a%00b",
        "=1", "&", "all=1&&limit=2", "&".join(f"x{i}=1" for i in range(40)), "ALL=1", "all=1;size=1&size=1", 'all="',
    ],
)  # fmt: skip
def test_every_other_parameter_is_refused(query: str) -> None:
    assert isinstance(get(f"/containers/json?{query}"), Refusal)


@pytest.mark.parametrize(
    "field",
    [
        "Upgrade: tcp", "Connection: Upgrade", "Connection: keep-alive, Upgrade", "HTTP2-Settings: AAA",
        "Connection: Host",
        "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "transfer-encoding:", "Content-Length: 5",
        "Content-Length: 00", "Content-Length: +0", "Content-Length: 0, 0", "Content-Length:", "Expect: 100-continue",
        "Host: other", "no colon", " folded: line", "\tfolded", "Na me: x", "Name : x", ": x", "X: \x00", "X: \x7f",
        "X: é",
        "X: a\nY: b", "X: a\rY: b", "X: " + "y" * LONGEST_HEAD,
    ],
)  # fmt: skip
def test_a_head_that_could_mean_more_is_refused(field: str) -> None:
    assert isinstance(get("/version", field), Refusal)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /version HTTP/1.1\nHost: x\n\n",
        b"GET /version HTTP/1.1\r\n\r\n",
        b"GET  /version HTTP/1.1\r\nHost: x\r\n\r\n",
        b" GET /version HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /version HTTP/1.1 \r\nHost: x\r\n\r\n",
        b"GET\t/version\tHTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /version HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /version HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /version\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /version HTTP/1.1\r\n" + b"A: b\r\n" * 70 + b"Host: x\r\n\r\n",
    ],
)
def test_what_is_no_plain_request_is_refused(raw: bytes) -> None:
    assert isinstance(judge(raw), Refusal)


def test_a_refusal_says_what_was_asked_in_printable_words() -> None:
    refusal = judge(head("POST /containers/create?name=\x1b[31m HTTP/1.1"))
    assert isinstance(refusal, Refusal)
    assert refusal.asked == "POST /containers/create?name=?[31m"
    assert len(judge(head(f"GET /{'x' * 5000} HTTP/1.1")).asked) <= 200  # type: ignore[union-attr]


def test_the_usual_headers_of_clients_are_fine() -> None:
    usual = ("User-Agent: Docker-Client/28.2 (linux)", "Accept: */*", "Content-Length: 0", "Traceparent: 00-1-2-01")
    assert get("/version", *usual) == Passed("/version")
    assert get("/version", "Connection: close") == Passed("/version", keep=False)
    assert get("/version", "Connection: Keep-Alive") == Passed("/version")


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("localhost", True),
        ("localhost:2375", True),
        ("127.0.0.1:2375", True),
        ("[::1]:2375", True),
        ("docker", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.5", False),
        ("localhost.evil.example:2375", False),
        ("[::2]", False),
    ],
)
def test_over_tcp_a_name_of_the_web_is_refused(host: str, fine: bool) -> None:
    """A page whose name was made to point here would read the engine with the browser's hands."""
    request = head("GET /version HTTP/1.1", host=host)
    assert isinstance(judge(request, local=True), Passed if fine else Refusal)
    assert isinstance(judge(request), Passed)


PLAIN = re.compile(
    r"(/v1\.\d{1,2})?/(_ping|version|info|events|containers/json|(networks|services|tasks|nodes)(/[\w.-]+)?"
    r"|containers/[\w.-]+/json)(\?[\w.+%=&~*-]*)?",
    re.ASCII,
)


def never_more_than_reading(raw: bytes) -> None:
    judged = judge(raw)
    if isinstance(judged, Passed):
        assert PLAIN.fullmatch(judged.target), judged
        assert raw.startswith((b"GET /", b"HEAD /"))
        assert b"/../" not in judged.target.encode()


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(raw: bytes) -> None:
    never_more_than_reading(raw)
    never_more_than_reading(raw + b"\r\n\r\n")


PIECES = st.sampled_from(
    ["/", "//", "..", ".", "%2e", "%2f", "v1.41", "containers", "json", "events", "version", "?", "&", "=", "filters",
     "all", "size", "#", "\\", ";", "a", "_ping", "http://x", "networks", "exec", " ", "\r\n", "%", "é", "{}"]
)  # fmt: skip


@given(st.sampled_from(["GET", "HEAD", "POST"]), st.lists(PIECES, max_size=12))
def test_any_mixture_of_the_pieces_of_a_path_is_judged(method: str, pieces: list[str]) -> None:
    never_more_than_reading(head(f"{method} {''.join(pieces)} HTTP/1.1"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["all", "limit", "filters"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
        ),
        max_size=4,
    )
)
def test_values_of_parameters_come_through_or_the_request_does_not(pairs: list[tuple[str, str]]) -> None:
    passed = get(f"/containers/json?{urlencode(pairs)}")
    if isinstance(passed, Passed) and pairs:
        assert parse_qsl(passed.target.partition("?")[2], keep_blank_values=True) == pairs
