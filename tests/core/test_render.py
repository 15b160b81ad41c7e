"""The whole configuration, against the goldens; HAProxy's own opinion of it is in tests/haproxy."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.model import Policy, Route, Service
from longshore.core.raw import Line, RawProcess
from longshore.core.render import Backend, Layout, Paths, Process, render
from longshore.core.server import Server
from tests.core.layouts import GOLDEN_OF, LAYOUTS, golden, layout_of

PATHS = Paths("/var/lib/longshore")
OLD, NEW = TYPICAL[2, 6], TYPICAL[3, 4]


@pytest.mark.parametrize(("name", "series"), GOLDEN_OF)
def test_goldens(name: str, series: tuple[int, int]) -> None:
    """`python -m tests.core.layouts` writes them anew."""
    file, text = golden(name, series)
    assert text == file.read_text()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("caps", TYPICAL.values(), ids=str)
def test_the_same_layout_gives_the_same_text_of_plain_lines(name: str, caps: Capabilities) -> None:
    text = render(LAYOUTS[name](caps, PATHS), caps)
    assert text == render(LAYOUTS[name](caps, PATHS), caps)
    assert text.endswith("\n")
    assert not re.search(r"[^\n -~]", text)
    assert max(map(len, text.splitlines())) < 2048, "HAProxy's lines hold 2,048 bytes"


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_proxy_says_where_its_defaults_come_from(name: str) -> None:
    """HAProxy refuses a mixture of named and implicit defaults sections."""
    text = render(LAYOUTS[name](NEW, PATHS), NEW)
    for line in re.findall(r"^(?:frontend|backend|listen) .*$", text, re.M):
        assert re.search(r" from \S+$", line), line


def test_maint_is_disabled_and_drain_gets_no_new_requests() -> None:
    server = Server("one.12345678", "10.0.0.1", 80, "check", 100)
    lines = {
        admin: render(Layout(Process(PATHS), backends=(Backend("b", "p-1", ((server, admin),)),)), NEW).splitlines()[-1]
        for admin in ("ready", "drain", "maint")
    }
    assert lines == {
        "ready": "    server one.12345678 10.0.0.1:80 check weight 100",
        "drain": "    server one.12345678 10.0.0.1:80 check weight 0",
        "maint": "    server one.12345678 10.0.0.1:80 check weight 100 disabled",
    }


def test_lua_is_loaded_only_where_something_is_held() -> None:
    held = Service("web", routes=(Route("a.test"),), policy=Policy(hold=5))
    assert f"lua-load-per-thread {PATHS.lua}" in render(layout_of((held,), NEW, PATHS), NEW)
    assert "lua" not in render(layout_of((replace(held, policy=Policy()),), NEW, PATHS), NEW)


def test_users_are_listed_once_for_all_who_share_them() -> None:
    policy = Policy(auth=("ann:$5$x", "bob:$5$y"))
    services = tuple(Service(n, routes=(Route(f"{n}.test"),), policy=policy) for n in ("one", "two"))
    text = render(layout_of(services, NEW, PATHS), NEW)
    assert text.count("userlist ") == 1
    assert text.count("user ann password '$5$x'") == 1


@pytest.mark.parametrize(
    "layout",
    [
        Layout(Process(PATHS, user="a\nb")),
        Layout(Process(PATHS, stats=":1936\n mode tcp")),
        Layout(Process(PATHS, raw=RawProcess((Line("a\nb"),)))),
        Layout(Process(PATHS), backends=(Backend("a b", "p-1"),)),
        Layout(Process(PATHS), backends=(Backend("a", "p-1\n"),)),
        Layout(Process(PATHS), backends=(Backend("a", "p", ((Server("x y", "10.0.0.1", 80, "", 1), "ready"),)),)),
    ],
)
def test_nothing_breaks_out_of_its_line(layout: Layout) -> None:
    with pytest.raises(ValueError, match=r"."):
        render(layout, NEW)


@pytest.mark.parametrize("state", ["relative", "/with blank", "/a,b", "/a\nb", "/" + "x" * 100])
def test_a_state_directory_that_haproxy_cannot_carry_is_refused(state: str) -> None:
    with pytest.raises(ValueError, match=r"must start with /|too long for a unix socket"):
        Paths(state)
