"""Values: each reader takes what people write, gives one normal form, and refuses the rest with a sentence."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.core import balance, places, values
from longshore.core.keys import KEYS, closest, reference
from longshore.core.places import Path, Spot
from longshore.core.values import RefusedError

GOOD: list[tuple[str, object, object]] = [
    ("enable", "Yes", True),
    ("enable", False, False),
    ("service", "shop_web-1.b", "shop_web-1.b"),
    ("host", "A.example.COM", ("a.example.com",)),
    ("host", "a.test, *.b.test,a.test", ("a.test", "*.b.test")),
    ("host", ["a.test", "*"], ("a.test", "*")),
    ("host", "a.test.", ("a.test",)),
    ("host", "my_app.localhost", ("my_app.localhost",)),
    ("host", "10.0.0.1", ("10.0.0.1",)),
    ("host", "0:0::1", ("[::1]",)),
    ("host", "[::1]", ("[::1]",)),
    ("host", "xn--bcher-kva.example", ("xn--bcher-kva.example",)),
    ("path", "/", (Path("/"),)),
    ("path", "/api/, =/exact/", (Path("/api"), Path("/exact/", True))),
    ("path", "/a%20b", (Path("/a%20b"),)),
    ("listen", ":8080", (":8080",)),
    ("listen", 8080, (":8080",)),
    ("listen", "0.0.0.0:08080", (":8080",)),
    ("listen", "127.0.0.1:8080", ("127.0.0.1:8080",)),
    ("listen", "[0::1]:8080", ("[::1]:8080",)),
    ("tcp", "5432, [::]:5432", (":5432", "[::]:5432")),
    ("port", "8000/tcp", 8000),
    ("port", 8000, 8000),
    ("address", "Published", Spot("published")),
    ("address", "host", Spot("host")),
    ("address", "10.0.0.5", Spot("fixed", "10.0.0.5")),
    ("address", "10.0.0.5:81", Spot("fixed", "10.0.0.5", 81)),
    ("address", "fd00::5", Spot("fixed", "fd00::5")),
    ("address", "[fd00::5]:81", Spot("fixed", "fd00::5", 81)),
    ("weight", "0", 0),
    ("weight", 256, 256),
    ("balance", "  RoundRobin ", "roundrobin"),
    ("balance", "random(2)", "random(2)"),
    ("balance", "uri  depth 3 whole", "uri depth 3 whole"),
    ("balance", "url_param(id)", "url_param id"),
    ("balance", "url_param id check_post", "url_param id check_post"),
    ("balance", "hdr(X-User)", "hdr(X-User)"),
    ("balance", "hash req.cook(sid)", "hash req.cook(sid)"),
    ("balance", "rdp-cookie", "rdp-cookie"),
    ("sticky", "SRV", "SRV"),
    ("sticky", True, "longshore"),
    ("sticky", "false", ""),
    ("check", "TCP", "tcp"),
    ("check", "/health?full=1", "/health?full=1"),
    ("check-host", "a.test:8080", "a.test:8080"),
    ("check-status", "200, 204,300-399", "200,204,300-399"),
    ("check-status", 200, "200"),
    ("check-expect", '{"status": "ok"}', '{"status": "ok"}'),
    ("check-interval", "500ms", 0.5),
    ("timeout", "2h", 7200.0),
    ("timeout", "1.5s", 1.5),
    ("hold", 10, 10.0),
    ("hold", 0, 0.0),
    ("hsts", "true", values.YEAR),
    ("hsts", "365d", values.YEAR),
    ("hsts", 0, 0),
    ("auth", "ann:$2y$05$abcdefghijklmnopqrstuv", ("ann:$2y$05$abcdefghijklmnopqrstuv",)),
    ("server-tls", "true", "verify"),
    ("server-tls", "insecure", "insecure"),
    ("retries", "0", 0),
]

BAD: list[tuple[str, object, str]] = [
    ("enable", "maybe", '"maybe" is neither true nor false'),
    ("enable", None, "has no value"),
    ("service", "a b", "is not a name"),
    ("service", "-a", "is not a name"),
    ("service", "x" * 101, "is not a name"),
    ("host", "", "is empty"),
    ("host", "a.test,,b.test", "empty member"),
    ("host", "a.test:8080", "contains a port"),
    ("host", "[::1]:8080", "contains a port"),
    ("host", "http://a.test", "is a URL"),
    ("host", "a.test/api", "contains a path"),
    ("host", "a*.test", 'has a "*" inside'),
    ("host", "*.*.test", 'has a "*" inside'),
    ("host", "bücher.example", "characters no browser sends"),
    ("host", "a b.test", "is not a host name"),
    ("host", "a..test", "is not a host name"),
    ("host", "-a.test", "is not a host name"),
    ("host", "x" * 64 + ".test", "is not a host name"),
    ("host", "*.", 'has a "*" inside'),
    ("path", "api", 'does not start with "/"'),
    ("path", "/a?b=1", "contains ?"),
    ("path", "/a#b", "contains #"),
    ("path", "/a b", "cannot have"),
    ("path", "/a;b", "cannot have"),
    ("path", '/a"b', "cannot have"),
    ("path", "/ü", "cannot have"),
    ("path", "/%zz", "cannot have"),
    ("path", "/" + "x" * 2000, "at most 1,024"),
    ("listen", "0", "has no port"),
    ("listen", ":70000", "has no port"),
    ("listen", "localhost:80", "is not an address to listen on"),
    ("listen", "::1:80", "is not an address to listen on"),
    ("listen", "[127.0.0.1]:80", "is not an address to listen on"),
    ("port", "53/udp", "is UDP"),
    ("port", "http", "is not a port"),
    ("port", [80, 81], "one value is expected"),
    ("address", "vm1.internal", "is not an address"),
    ("address", "fe80::1%eth0", "is not an address"),
    ("weight", "257", "whole number from 0 to 256"),
    ("weight", "٣", "whole number from 0 to 256"),
    ("weight", 1.5, "whole number from 0 to 256"),
    ("balance", "leastcon", "did you mean leastconn?"),
    ("balance", "hash var(txn.x)", "is not how hash is written"),
    ("balance", "hdr(X;Y)", "is not how hdr is written"),
    ("balance", "random(0)", "is not how random is written"),
    ("balance", "uri deep", "is not how uri is written"),
    ("sticky", "a=b", "is not a cookie name"),
    ("check", "http", "is not a check"),
    ("check", "/a?b c", "cannot have"),
    ("check-host", "*.a.test", "is a pattern"),
    ("check-status", "2xx", "is no HTTP status"),
    ("check-status", "299-200", "is no HTTP status"),
    ("check-expect", "a\nb", "control character"),
    ("check-expect", "x" * 257, "at most 256"),
    ("check-interval", "0", "longer than 0"),
    ("timeout", "10 s", "is not a duration"),
    ("timeout", "-1", "is not a duration"),
    ("timeout", float("nan"), "is not a duration"),
    ("timeout", float("inf"), "is not a duration"),
    ("timeout", True, "is not a duration"),
    ("timeout", "30d", "is too long"),
    ("timeout", "10us", "is too short"),
    ("auth", "ann", "not of the form user:hash"),
    ("auth", "ann:$apr1$x$abcdefghijklmnopqrstuv", "apr1"),
    ("auth", "ann:$$2y$$05$$abcdefghijklmnopqrstuv", "doubled"),
    ("auth", "a n:$6$abc$abcdefghijklmnopqrstuv", "is not a user name"),
    ("server-tls", "maybe", "verify, insecure, false"),
]


@pytest.mark.parametrize(("key", "raw", "expected"), GOOD)
def test_accepted(key: str, raw: object, expected: object) -> None:
    assert KEYS[key].parse(raw) == expected


@pytest.mark.parametrize(("key", "raw", "message"), BAD)
def test_refused_with_a_sentence(key: str, raw: object, message: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(message)):
        KEYS[key].parse(raw)


def test_a_password_is_never_repeated_in_a_message() -> None:
    for raw in ("ann:hunter2", "hunter2", "ann:$apr1$hunter2"):
        with pytest.raises(RefusedError) as caught:
            KEYS["auth"].parse(raw)
        assert "hunter2" not in str(caught.value) + caught.value.hint


def test_hints_say_what_to_write() -> None:
    """An error tells the next step, in words that can be copied."""
    for key, raw, hint in (
        ("host", "a.test:8080", 'listen ":8080"'),
        ("host", "a.test/api", 'path "/api"'),
        ("host", "bücher.example", '"xn--bcher-kva.example"'),
        ("path", "/a b", '"/a%20b"'),
    ):
        with pytest.raises(RefusedError) as caught:
            KEYS[key].parse(raw)
        assert hint in caught.value.hint


@pytest.mark.parametrize("key", list(KEYS))
def test_the_example_of_every_key_is_accepted_as_written(key: str) -> None:
    """The reference never shows something that does not work ("…" stands for the rest of a hash)."""
    KEYS[key].parse(KEYS[key].example.replace("…", "abcdefghijklmnopqrstuv"))


@pytest.mark.parametrize("key", list(KEYS))
@given(raw=st.one_of(st.text(), st.none(), st.integers(), st.floats(), st.booleans(), st.lists(st.text(), max_size=3)))
def test_no_value_makes_a_reader_fail_otherwise(key: str, raw: object) -> None:
    """A reader gives a value or RefusedError, whatever it gets; and its sentence is one printable line."""
    try:
        KEYS[key].parse(raw)
    except RefusedError as refusal:
        said = str(refusal) + refusal.hint
    else:
        said = ""
    assert said == "" or said.isprintable()


@given(st.text(alphabet=st.sampled_from("ab.*-_:[]/1é "), max_size=20))
def test_reading_a_host_again_changes_nothing(raw: str) -> None:
    """The normal form of a place is its own normal form."""
    for read in (places.host, places.listen, lambda value: places.path(value).path):
        try:
            once = read(raw)
        except RefusedError:
            continue
        assert read(once) == once


def test_algorithms_say_what_they_can() -> None:
    assert balance.parse("leastconn").runtime
    assert not balance.parse("static-rr").runtime
    assert not balance.parse("rdp-cookie(mstshash)").runtime
    assert balance.parse("uri").hashed
    assert balance.parse("uri").http
    assert balance.parse("source").hashed
    assert not balance.parse("hash src").http


def test_the_normal_form_of_an_algorithm_is_read_again_as_itself() -> None:
    for key, raw, expected in GOOD:
        if key == "balance":
            assert balance.algorithm(balance.algorithm(raw)) == expected


def test_suggestions_cover_spelling_and_separators() -> None:
    assert closest("wieght") == "weight"
    assert closest("Check_Interval") == "check-interval"
    assert closest("check.interval") == "check-interval"
    assert closest("zzz") == ""


def test_the_reference_lists_every_key_on_one_line() -> None:
    lines = reference().splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == list(KEYS)
