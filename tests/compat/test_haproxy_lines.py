"""Old lines are said as HAProxy takes them today, or refused with a cure; `listen` is taken apart as Synapse did."""

from __future__ import annotations

import pytest

from longshore.compat.haproxy_lines import check, discarded, in_order, mode, modern, sides, split, title
from longshore.core.values import RefusedError
from tests.compat.old_lines import KEPT, REFUSED, TRANSLATED, Old

HTTP = ["mode http", "option httpchk /", "http-check expect string Hello"]


@pytest.mark.parametrize("old", [pytest.param(old, id=f"§11 {old.row}") for old in TRANSLATED])
def test_a_line_that_is_gone_is_said_otherwise_with_a_note(old: Old) -> None:
    lines, note = modern(old.line, old.section, old.mode)
    assert lines == old.new
    assert note
    assert not note.endswith(".")
    for line in lines:
        assert modern(line, old.section, old.mode) == ((line,), ""), "what it became is good"


@pytest.mark.parametrize(
    ("section", "line"), [pytest.param(section, line, id=f"§11 {line.split()[0]}") for section, line in KEPT]
)
def test_a_line_that_is_good_stays_as_it_is(section: str, line: str) -> None:
    assert modern(f"  {line} ", section) == ((line,), "")


@pytest.mark.parametrize(("section", "line"), [pytest.param(s, line, id=f"§11 {row}") for row, s, line in REFUSED])
def test_what_cannot_be_said_is_refused_with_a_cure(section: str, line: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        modern(line, section)
    assert str(refusal.value)
    assert refusal.value.hint


@pytest.mark.parametrize("words", [pytest.param("check ssl inter 2s", id="§11 server ssl")])
def test_a_certificate_is_not_looked_at_only_where_that_was_said(words: str) -> None:
    """`default-server` may have a `ca-file`: nothing is switched off that somebody relies on."""
    lines, note = modern(words, "server", unverified=True)
    assert lines == (f"{words} verify none",)
    assert "ssl-server-verify none" in note
    lines, note = modern(words, "server")
    assert lines == (words,)
    assert "ca-file" in note
    assert modern(f"{words} verify none", "server", unverified=True) == ((f"{words} verify none",), "")
    assert modern(f"{words} ca-file /x", "server") == ((f"{words} ca-file /x",), "")


@pytest.mark.parametrize("empty", ["", "   ", "# a comment"])
def test_comments_say_nothing(empty: str) -> None:
    assert modern(empty, "global") == ((), "")
    assert split([empty]) == ((), ())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("mode http", {"frontend", "backend"}, id="A2 haproxy lines: listen"),
        pytest.param("timeout  client 5s", {"frontend"}, id="A2 haproxy lines: listen"),
        pytest.param("timeout server-fin 5s", {"backend"}, id="A2 haproxy lines: listen"),
        pytest.param("  NO  option httplog", {"frontend"}, id="A2 haproxy lines: listen"),
        pytest.param("option abortonclose", {"backend"}, id="A2 haproxy lines: listen"),
        pytest.param("stick-table type ip size 1m", {"backend"}, id="A2 haproxy lines: listen"),
        pytest.param("log-format %ci", {"frontend"}, id="A2 haproxy lines: listen"),
        pytest.param("tcp-request connection reject", {"frontend"}, id="A2 haproxy lines: listen"),
        pytest.param("tcp-request content accept", {"frontend", "backend"}, id="A2 haproxy lines: listen"),
        pytest.param("reqadd X:\\ y", {"frontend", "backend"}, id="A2 haproxy lines: listen"),
        pytest.param("appsession X len 5 timeout 3h", {"backend"}, id="A2 haproxy lines: listen"),
        pytest.param("retry-on all-retryable-errors", {"backend"}, id="A2 haproxy lines: retry-on"),
        pytest.param("http-check send hdr Host a", {"backend"}, id="A2 haproxy lines: http-check send"),
        pytest.param("http-check set-var(check.a) str(b)", {"backend"}, id="A2 haproxy lines: http-check send"),
        pytest.param(
            "http-after-response set-header A b", {"frontend", "backend"}, id="A2 haproxy lines: http-after-response"
        ),
        pytest.param("filter compression", {"frontend", "backend"}, id="A2 haproxy lines: filter"),
        pytest.param(
            "http-error status 503 file /dev/null", {"frontend", "backend"}, id="A2 haproxy lines: http-error"
        ),
    ],
)
def test_each_line_belongs_where_its_keyword_counts(line: str, expected: set[str]) -> None:
    assert sides(line) == expected


def test_a_listen_list_is_taken_apart_in_its_order() -> None:
    assert split([*HTTP, "option httplog"]) == (("mode http", "option httplog"), tuple(HTTP))


def test_what_must_not_be_done_twice_stands_on_one_side() -> None:
    lines = ["filter compression", "http-after-response add-header A b"]
    assert split(lines) == (tuple(lines), ())
    assert split(lines, frontend=False) == ((), tuple(lines))


def test_lines_that_synapse_discarded_are_known() -> None:
    later = ["retry-on all", "http-check send hdr A b", "http-after-response add-header A b", "filter compression"]
    assert [line for line in later if not discarded(line)] == []
    assert [line for line in [*HTTP, "# retry-on", ""] if discarded(line)] == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("option httplgo", 'did you mean "option httplog"?'),
        ("retires 3", 'did you mean "retries"?'),
        ("timeout conect 3s", 'did you mean "timeout connect"?'),
        ("nonsense", "is it written as in HAProxy's configuration manual?"),
    ],
)
def test_an_unknown_keyword_is_never_dropped(line: str, hint: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        split([*HTTP, line])
    assert line.split()[0] in str(refusal.value)
    assert refusal.value.hint == hint


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("listen stats", ("listen stats", ()), id="§11 listen x ip:port"),
        pytest.param("listen stats :1936", ("listen stats", ("bind :1936",)), id="§11 listen x ip:port"),
        pytest.param(
            "frontend a 127.0.0.1:80,127.0.0.1:81",
            ("frontend a", ("bind 127.0.0.1:80,127.0.0.1:81",)),
            id="§11 frontend x ip:port",
        ),
        pytest.param("backend b from base", ("backend b from base", ()), id="§11 listen x ip:port"),
        pytest.param("userlist admins", ("userlist admins", ()), id="A2 top extra_sections: title"),
    ],
)
def test_addresses_in_titles_are_bind_lines(line: str, expected: tuple[str, tuple[str, ...]]) -> None:
    name, lines, note = title(line)
    assert (name, lines) == expected
    assert bool(note) == bool(lines)


@pytest.mark.parametrize("line", [pytest.param("program x", id="§11 program"), ""])
def test_what_begins_no_section_is_refused(line: str) -> None:
    with pytest.raises(RefusedError):
        title(line)


def test_old_rules_come_in_the_order_in_which_haproxy_worked() -> None:
    lines = ["reqadd A:\\ b", "http-request deny if x", "reqidel ^A:", "block if x", "acl x path /", "balance source"]
    assert [lines[at].split()[0] for at in in_order(lines)] == [
        *("acl", "block", "http-request", "balance", "reqidel", "reqadd")
    ]
    assert in_order(HTTP) == (0, 1, 2), "nothing else is moved"


@pytest.mark.parametrize(
    ("lines", "defaults", "expected"),
    [
        ([], [], "tcp"),
        (["mode http"], [], "http"),
        (["mode  health"], [], "http"),
        ([], ["mode http"], "http"),
        (["mode tcp"], ["mode http"], "tcp"),
    ],
)
def test_the_mode_is_that_of_the_proxy_else_of_its_defaults(
    lines: list[str], defaults: list[str], expected: str
) -> None:
    assert mode(lines, defaults) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (HTTP, {"check": "/", "check-method": "OPTIONS", "check-expect": "Hello"}),
        (["option httpchk"], {"check": "/", "check-method": "OPTIONS"}),
        (["option httpchk GET /x HTTP/1.1"], {"check": "/x"}),
        (["option httpchk HEAD /x", "http-check expect string a"], {"check": "/x", "check-method": "HEAD"}),
        (["option httpchk GET /x", "http-check expect status 204"], {"check": "/x", "check-status": "204"}),
        (["option httpchk GET /x", "http-check expect ! status 500"], {"check": "/x"}),
        ([r"option httpchk GET /x HTTP/1.1\r\nHost:\ a.test"], {"check": "/x", "check-host": "a.test"}),
        (["option httpchk", "http-check send meth GET uri /y hdr Host b"], {"check": "/y", "check-host": "b"}),
        (["option httpchk POST /x"], {}),
        (["option tcp-check"], {}),
        ([], {}),
    ],
)
def test_the_first_check_asks_as_far_as_it_can_what_haproxy_asks(lines: list[str], expected: dict[str, str]) -> None:
    assert check(lines) == expected
