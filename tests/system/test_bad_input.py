"""Bad input: whatever labels and files say, it is said once, it harms nobody else, and it goes when they go."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.balancer import LONGSHORE, Balancer
from tests.lab.engine import BARE, WEB, Engine
from tests.lab.haproxy import SERIES, haproxy
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.hostile import config_text, config_words, said_of, squeamish, start

pytestmark = pytest.mark.system

BOTH = (SERIES[0], SERIES[-1])
EXPECTED = """'"; server canary 127.0.0.1:1 #$HOME \\ %[env(PATH)]"""

# container: its labels without "longshore.", and words of what is said about it
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "lines": ({"host": "x.test\n    server canary 127.0.0.1:1\nbackend canary"}, "contains the control character"),
    "quotes": ({"host": """x"; set server canary 127.0.0.1:1 #'"""}, "is not a host name"),
    "blanks": ({"host": "x.test y.test; shutdown sessions backend canary"}, "is not a host name"),
    "nul": ({"host": "canary\0.test"}, "contains the control character"),
    "huge": ({"host": "canary" * 11000}, "is 66,000 characters long"),
    "path": ({"path": "/canary;x y"}, "has characters that a URL path cannot have"),
    "service": ({"service": "canary canary/canary"}, "is not a name"),
    "balance": ({"balance": "roundrobin\n    server canary"}, "contains the control character"),
    "weight": ({"weight": "1; disable server canary/canary"}, "is not a whole number"),
    "cookie": ({"sticky": "canary insert; x"}, "is not a cookie name"),
    "password": ({"auth": "canary:hunter2"}, "is not a password hash"),
    "unknown": ({"hots": "canary.test"}, "unknown key; did you mean host?"),
    "key": ({'canary"; x.host': "a.test"}, "is not a name"),
    "contradiction": ({"tcp": ":5999", "host": "canary.test"}, "has no meaning for a TCP service"),
    "portless": ({"host": "canary.test"}, "says no port"),
}
ODD: dict[str, dict[str, str]] = {  # what can be served, whatever it looks like
    "odd": {"host": "odd.test", "path": "/$(x)&*~", "check": "/$(x)&*~", "check-expect": "path=/$(x)&*~"},
    "picky": {"host": "picky.test", "check": "/", "check-expect": EXPECTED},
    "deaf": {"host": "deaf.test", "port": "9"},
    "thief": {"host": "good.test"},
}


def labels(said: dict[str, str]) -> dict[str, str]:
    return {f"longshore.{key}": value for key, value in said.items()}


def test_hostile_labels_are_said_once_and_harm_nobody(
    engine: Engine, balance: Callable[..., Balancer], tmp_path: Path
) -> None:
    """A good service next to them notices nothing, and what they say never becomes HAProxy's syntax."""
    good = start(engine, "good", {"longshore.host": "good.test", "tier": "good"})
    (tmp_path / "broken.yaml").write_text("services:\n  canary: {host: canary.test, endpoints: [\n")
    (tmp_path / "fine.yaml").write_text(f"services: {{file: {{host: file.test, endpoints: ['{good.address}:8000']}}}}")
    config = {
        "sources": {"docker": {"host": engine.host, "group-by": "label:tier"}, "file": {"path": str(tmp_path)}},
        "services": {"lost": {"host": "lost.test", "endpoints": ["no-such-name.invalid:80"]}},
    }
    balancers = [balance(series=series, config=config) for series in BOTH]
    with ExitStack() as stack:
        for balancer in balancers:
            balancer.until_up("good", 1)
        loads = [stack.enter_context(Load(port=each.port, host="good.test", rate=20)) for each in balancers]
        bad = [start(engine, name, labels(said) | {"tier": name}) for name, said in ODD.items()]
        bad.append(start(engine, "tier", {"longshore.host": "tier.test", "tier": 'front"; x\n    server y'}))
        for name, (said, _) in REFUSED.items():
            bad.append(start(engine, name, labels(said), BARE if name == "portless" else WEB))
        for balancer in balancers:
            says_what_is_wrong(balancer)
            serves_what_can_be(balancer)
            is_never_syntax(balancer)
        for container in bad:
            container.rm()
        (tmp_path / "broken.yaml").unlink()
        for balancer in balancers:
            balancer.until(lambda status: {p["service"] for p in status["problems"]} == {"lost"}, "they are forgotten")
        for load in loads:
            load.more(20)
    for load in loads:
        assert load.report.lost == 0, load.report


def says_what_is_wrong(balancer: Balancer) -> None:
    places = [*(f"container {name}" for name in REFUSED), "service thief", "service deaf", "service picky"]
    status = balancer.until(lambda status: all(said_of(status, place) for place in places), "all of it is said")
    for name, (_, words) in REFUSED.items():
        problem, *others = said_of(status, f"container {name}")
        assert words in problem["what"]
        assert not others, f"{name} is said once"
    for name, words in (("thief", 'already taken by service "good"'), ("deaf", ":9 has not answered its first check")):
        assert words in said_of(status, f"service {name}")[0]["what"]
        assert said_of(status, f"service {name}")[0]["hint"]
    assert sum("broken.yaml:3:" in problem["where"] for problem in status["problems"]) == 1
    assert sum("no-such-name.invalid does not resolve" in problem["what"] for problem in status["problems"]) == 1

    text = balancer.command("status").stdout
    assert [text.count(f"container {name}:") for name in REFUSED] == [1] * len(REFUSED)
    assert not re.search(r"[^\n\x20-\x7e…·]", text), "nothing unprintable reaches the terminal"
    assert "hunter2" not in text + balancer.log_text()


def serves_what_can_be(balancer: Balancer) -> None:
    balancer.until_up("odd", 1)
    balancer.until_up("front-x-server-y", 1)
    assert balancer.request("odd.test", "/$(x)&*~").who == "odd"
    assert balancer.request("tier.test").who == "tier"
    assert balancer.request("good.test").who == "good"
    assert balancer.request("file.test").who == "good"
    for host in ("deaf.test", "picky.test", "lost.test"):
        assert balancer.request(host).status == 503
    assert balancer.request("canary.test").status == 404


def is_never_syntax(balancer: Balancer) -> None:
    """The one text with our word in it that may be used, what the body must contain, is one word and the last one."""
    until(lambda: "canary" in config_text(balancer), what="the configuration is written")
    found = [words for words in config_words(balancer) if "canary" in " ".join(words)]
    assert found == [["http-check", "expect", *words[2:-1], EXPECTED] for words in found]
    maps = [f"show map #{line.split()[0]}" for line in balancer.runtime("show map").splitlines() if "(/" in line]
    assert len(maps) >= 3
    for command in ("show servers state", "show backend", *maps):
        assert "canary" not in balancer.runtime(command)


def test_what_haproxy_refuses_is_set_aside_alone(
    engine: Engine, balance: Callable[..., Balancer], tmp_path: Path
) -> None:
    """At the start and later; its last version that worked stays, with the endpoints that it has now."""
    refused = {"longshore.service": "bad", "longshore.host": "bad.test", "longshore.balance": "hdr(distasteful)"}
    start(engine, "early", refused | {"longshore.service": "early", "longshore.host": "early.test"})
    start(engine, "good", {"longshore.service": "good", "longshore.host": "good.test"})
    old = start(engine, "old", {"longshore.service": "bad", "longshore.host": "bad.test"})
    balancers = [balance(engine=engine, binary=squeamish(tmp_path / s, haproxy(s))) for s in BOTH]
    with ExitStack() as stack:
        for balancer in balancers:
            balancer.until_up("good", 1)
            balancer.until(lambda status: said_of(status, "service early"), "early is said")
            assert balancer.serves("bad.test", 1) == {"old"}
        loads = [stack.enter_context(Load(port=each.port, host="good.test", rate=20)) for each in balancers]
        new = start(engine, "new", refused)
        other = start(engine, "other", {"longshore.service": "other", "longshore.host": "other.test"})
        for balancer in balancers:
            status = balancer.until(lambda status: said_of(status, "service bad"), "bad is said")
            assert "'distasteful' is more than one can take" in said_of(status, "service bad")[0]["what"]
            assert balancer.serves("bad.test", 2) == {"old", "new"}
            assert balancer.serves("other.test", 1) == {"other"}
        old.rm()
        for balancer in balancers:
            assert balancer.serves("bad.test", 1) == {"new"}
            assert balancer.request("early.test").status in (404, 503)
        new.rm()
        other.rm()
        start(engine, "mended", {**refused, "longshore.balance": "hdr(palatable)"})
        for balancer in balancers:
            balancer.until(lambda status: not said_of(status, "service bad"), "bad is mended")
            assert balancer.serves("bad.test", 1) == {"mended"}
    for load in loads:
        assert load.report.lost == 0, load.report


def test_a_broken_configuration_ends_the_start_with_all_that_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "longshore.yaml"
    broken.write_text(
        'frontends: {http: ":99999"}\nsources:\n  docker: {expos: all}\n'
        "services:\n  web: {hots: a.test, endpoints: [a]}\n"
    )
    done = subprocess.run([LONGSHORE, "up", "--config", broken], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    places = re.findall(rf"{re.escape(str(broken))}:(\d+:\d+): (\S+):", done.stderr)
    assert [place for place, _ in places] == ["1:19", "3:12", "5:9", "5:35"], done.stderr
    assert "longshore check" in done.stderr
    assert "Traceback" not in done.stderr
