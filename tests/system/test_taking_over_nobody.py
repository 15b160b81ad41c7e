"""A port that another HAProxy has, and nobody to be found for it: late, not at all, or by right."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.hostile import said_of, start
from tests.system.two import SHARE, WEB, shared, theirs

pytestmark = pytest.mark.system


def test_the_last_source_comes_late_and_knows_nothing(
    engine: Engine, balance: Callable[..., Balancer], tmp_path: Path
) -> None:
    """No endpoint appears and nothing else happens either: it takes over all the same, at once."""
    one = start(engine, "one", {})
    services = {"web": {"host": "web.test", "endpoints": [f"{one.address}:8000"]}}
    first = balance(engine=engine, config={"services": services})
    first.serves("web.test", 1)
    config = {"sources": {"docker": {"host": f"unix://{tmp_path}/docker.sock"}}, "services": services}
    second = Balancer(port=first.port, config=config, options=SHARE)
    try:
        second.start(ready=False)
        until(lambda: (second.state / "longshore.sock").exists(), what="it is there")
        second.until(lambda status: status["haproxy"]["shared"], "it found who has the port")
        with Load(port=first.port, host="web.test", rate=100, keep=False) as load:
            load.more(50)
            (tmp_path / "docker.sock").symlink_to(engine.socket)
            assert second.command("wait", "--timeout", "20s").returncode == 0
            assert shared(second) == ["taken over"]
            load.more(50)
            assert first.terminate() == 0
            load.more(50)
        assert load.report.lost == 0, load.report
    finally:
        second.close()


@oldest_and_newest
def test_where_nobody_is_found_the_other_one_goes_on(engine: Engine, tmp_path: Path, series: str) -> None:
    """A label is mistyped: that service's address stays with the other one, the rest is taken over."""
    one = start(engine, "one", WEB)
    first, lost, other = ports.free(), ports.free(), ports.free()
    services = {
        "lost": {"listen": f":{lost}", "from": {"source": "docker", "label": "wrong=yes", "port": 8000}},
        "other": {"listen": f":{other}", "from": {"source": "docker", "label": "also-wrong", "port": 8000}},
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    server = f"{one.address}:8000"
    with (
        theirs(tmp_path / "a", series, lost, server),
        theirs(tmp_path / "b", series, other, server) as ends,
        contextlib.closing(
            Balancer(engine=engine, series=series, port=first, config={"services": services}, options=SHARE)
        ) as new,
        Load(port=lost, host="web.test", rate=100, keep=False) as load,
    ):
        new.start(ready=False)
        until(lambda: (new.state / "longshore.sock").exists(), what="it is there")
        new.until(lambda status: said_of(status, "service lost"), "it says what it did not find")
        (problem,) = said_of(new.status(), "service lost")
        assert f"no endpoint found for it at :{lost}; haproxy (pid " in problem["what"]
        assert not new.status()["ready"]
        waited = new.command("wait", "--timeout", "1s")
        assert waited.returncode == 1
        assert f"an endpoint of service lost: :{lost} stays with haproxy (pid " in waited.stderr
        shown = new.command("status").stdout
        assert "not ready yet" in shown
        assert "waits for an endpoint of service lost" in shown
        assert ": joined when service lost has an endpoint" in shown
        load.more(50)
        ends.send_signal(signal.SIGUSR1)
        assert ends.wait(60) == 0
        new.until(lambda status: len(shared(new)) == 1, "what nobody has is listened on without anybody")
        assert new.request("web.test", port=other).status == 503
        start(engine, "late", {"wrong": "yes"})
        new.until(lambda status: status["ready"], "now it has somebody")
        assert shared(new) == ["taken over"]
        assert not said_of(new.status(), "service lost")
        load.more(50)
    assert load.report.lost == 0, load.report


def test_what_is_empty_by_right_is_empty_at_the_next_one_too(engine: Engine, balance: Callable[..., Balancer]) -> None:
    """The state is handed on: the old one serves nobody there either, so nothing is held back."""
    listen = ports.free()
    services = {"none": {"listen": f":{listen}", "from": {"source": "docker", "label": "none", "port": 8000}}}
    start(engine, "one", WEB)
    first = balance(engine=engine, config={"services": services}, options=SHARE)
    first.serves("web.test", 1)
    saved = first.state / "state.json"
    until(lambda: saved.exists() and '"empty":["none"]' in saved.read_text(), what="the state is saved")
    second = Balancer(engine=engine, port=first.port, config={"services": services}, options=SHARE)
    try:
        second.state.mkdir()
        shutil.copy(saved, second.state)
        second.start()
        assert shared(second) == ["taken over", "taken over"]
        assert not said_of(second.status(), "service none")
    finally:
        second.close()
