"""The machine around longshore is not as it should be: ports taken, HAProxy missing, no engine, no permission."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab import balancer as lab
from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import haproxy, oldest_and_newest
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.hostile import program, said_of, start

pytestmark = pytest.mark.system

NOBODY = 65534


def test_a_port_that_a_stranger_has_is_said_with_its_owner_and_taken_when_it_is_free(
    engine: Engine, balance: Callable[..., Balancer]
) -> None:
    balancer = balance(engine=engine, series="2.6")
    start(engine, "good", {"longshore.service": "good", "longshore.host": "good.test"})
    balancer.until_up("good", 1)
    with socket.create_server(("0.0.0.0", 0)) as taken, Load(port=balancer.port, host="good.test", rate=20) as load:
        port, tcp = taken.getsockname()[1], socket.create_server(("127.0.0.1", 0))
        other = tcp.getsockname()[1]
        start(engine, "web", {"longshore.service": "web", "longshore.listen": f":{port}"})
        start(engine, "db", {"longshore.service": "db", "longshore.tcp": f"127.0.0.1:{other}"})
        status = balancer.until(lambda status: said_of(status, "service web") and said_of(status, "service db"))
        for name, address in (("web", f":{port}"), ("db", f"127.0.0.1:{other}")):
            (problem,) = said_of(status, f"service {name}")
            assert re.search(rf"cannot listen on {address}: \S+ \(pid {os.getpid()}\) listens there", problem["what"])
        assert "tried again" in problem["hint"]
        taken.close()
        tcp.close()
        balancer.serves("any.test", 1, port=port)
        balancer.serves("any.test", 1, port=other)
        balancer.until(lambda status: not status["problems"], "nothing is wrong any more")
        load.more(20)
    assert load.report.lost == 0, load.report


def test_a_start_that_cannot_be_says_why(tmp_path: Path) -> None:
    """Its own port taken, and every HAProxy that is none: exit code 1, one error, what to do."""
    real = haproxy("3.4")
    old = program(tmp_path / "old", 'echo "HAProxy version 2.4.22-f8e3218 2023/02/14 - https://haproxy.org/"')
    broken = program(tmp_path / "broken", "echo 'error while loading shared libraries: libpcre2' >&2; exit 127")
    ends = program(
        tmp_path / "ends",
        f"""case "$*" in
-c*) ;;
*" -f "*/haproxy.cfg) echo "[ALERT]    (1) : out of luck" >&2; exit 3 ;;
esac
exec {real} "$@" """,
    )
    (tmp_path / "plain").write_text("HAProxy")
    with ExitStack() as stack:
        taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        mine = f"(pid {os.getpid()}) listens there already (stop it, or choose another address)"
        cases: list[tuple[Path, dict[str, Any], list[str]]] = [
            (real, {"frontends": {"http": busy}}, [f"cannot listen on {busy}: ", mine]),
            (Path("no-such-haproxy"), {}, ["no HAProxy: there is no program 'no-such-haproxy'", "apt install haproxy"]),
            (old, {}, ["HAProxy 2.4.22", "is too old: 2.6 or later is needed", "haproxy: {binary: "]),
            (broken, {}, ["ends with exit code 127", "libpcre2", "install"]),
            (Path("/bin/true"), {}, ["/bin/true is no HAProxy"]),
            (tmp_path / "plain", {}, ["may not be executed"]),
            (ends, {}, ["HAProxy ended with exit code 3: out of luck"]),
        ]
        started = [Balancer(binary=binary, config=config) for binary, config, _ in cases]
        for balancer in started:
            stack.callback(balancer.close)
            balancer.start(ready=False)
        for balancer, (binary, _, words) in zip(started, cases, strict=True):
            assert balancer._process
            assert balancer._process.wait(60) == 1, balancer.log_text()
            said = balancer.log_text()
            assert "Traceback" not in said
            assert [each for each in words if each not in said] == [], f"{binary}: {said}"


def test_an_engine_that_comes_later_is_found(engine: Engine, balance: Callable[..., Balancer], tmp_path: Path) -> None:
    """Until then, what else is configured is served."""
    way = tmp_path / "docker.sock"
    good = start(engine, "good", {"longshore.service": "good", "longshore.host": "good.test"})
    balancer = balance(
        config={
            "sources": {"docker": {"host": f"unix://{way}"}},
            "services": {"fixed": {"host": "fixed.test", "endpoints": [f"{good.address}:8000"]}},
        }
    )
    assert balancer.serves("fixed.test", 1) == {"good"}
    (source,) = [each for each in balancer.status()["sources"] if each["type"] == "docker"]
    assert source["state"] == "stale"
    assert str(way) in source["reason"]
    assert str(way) in balancer.command("status").stdout
    assert balancer.request("good.test").status == 404
    admin = int(balancer.settings["admin"]["bind"].rpartition(":")[2])
    assert ask(admin, "/v1/status")[0] == 200
    assert ask(admin, "/v1/status", Host="rebound.example")[0] == 403
    with Load(port=balancer.port, host="fixed.test", rate=20) as load:
        way.symlink_to(engine.socket)
        balancer.until_up("good", 1)
        balancer.until(lambda status: all(each["state"] == "current" for each in status["sources"]))
        assert balancer.serves("good.test", 1) == {"good"}
        load.more(20)
    assert load.report.lost == 0, load.report


def test_not_root_and_without_permission_it_serves_what_it_can(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """:8080 instead of :80, a state directory of one's own; the engine is followed when its socket is opened to us."""
    # this checkout and its Python may be in a folder of root's; to read them all the same needs one capability
    words = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --inh-caps=-all"
    if subprocess.run([*words.split(), lab.LONGSHORE, "version"], capture_output=True, check=False).returncode:
        words = words.replace("-all", "-all,+dac_read_search") + " --ambient-caps=-all,+dac_read_search"
    as_nobody = program(tmp_path / "longshore", f'exec {words} {lab.LONGSHORE} "$@"')
    good = start(engine, "good", {"longshore.service": "good", "longshore.host": "good.test"})
    mode = stat.S_IMODE(engine.socket.stat().st_mode)
    assert not mode & 0o002
    config = {
        "sources": {"docker": {"host": engine.host}},
        "services": {"fixed": {"host": "fixed.test", "endpoints": [f"{good.address}:8000"]}},
        **dict.fromkeys(("frontends", "admin", "state-dir")),
    }
    balancer = Balancer(port=8080, config=config, env={"XDG_STATE_HOME": ""})
    home = balancer.folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    balancer._env["HOME"] = str(home)
    balancer.state = home / ".local/state/longshore"
    with monkeypatch.context() as patch:
        patch.setattr(lab, "LONGSHORE", as_nobody)
        balancer.__enter__()
    try:
        assert balancer.serves("fixed.test", 1) == {"good"}
        assert balancer.status()["haproxy"]["addresses"] == [":8080"]
        (source,) = [each for each in balancer.status()["sources"] if each["type"] == "docker"]
        assert source["state"] == "stale"
        assert "permission" in source["reason"].lower()
        assert f"Uid:\t{NOBODY}\t{NOBODY}" in Path(f"/proc/{balancer.pid}/status").read_text()
        with urllib.request.urlopen("http://127.0.0.1:8404/v1/status") as answer:
            assert json.load(answer)["ready"]
        engine.socket.chmod(0o666)
        balancer.until_up("good", 1)
        assert balancer.serves("good.test", 1) == {"good"}
        worker = balancer.worker
        assert balancer.command("reload", "--reason", "test").returncode == 0
        assert balancer.worker != worker
    finally:
        engine.socket.chmod(mode)
        balancer.close()


@oldest_and_newest
def test_haproxy_gives_up_root_and_shows_what_was_asked_for(
    balance: Callable[..., Balancer], engine: Engine, tmp_path: Path, series: str
) -> None:
    """A user of its own after the bind; access log, page and exporter; sockets and secrets for the owner alone."""
    token, hashed = "s3cret-of-the-operator", "$6$abcdefgh$" + "q" * 86
    (tmp_path / "token").write_text(token + "\n")
    stats = ports.free()
    balancer = balance(
        engine=engine,
        series=series,
        port=80,
        config={
            "haproxy": {"user": "nobody", "group": "nogroup", "access-log": True, "stats": f"127.0.0.1:{stats}"},
            "admin": {"token-file": str(tmp_path / "token")},
        },
    )
    labels = {"longshore.service": "good", "longshore.host": "good.test", "longshore.auth": f"ann:{hashed}"}
    start(engine, "good", labels)
    balancer.until_up("good", 1)
    for _ in range(2):  # before and after a reload
        proc = Path(f"/proc/{balancer.worker}/status").read_text()
        assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in proc
        assert f"Gid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in proc
        assert balancer.request("good.test").status == 401
        assert balancer.command("reload", "--reason", "test").returncode == 0

    assert balancer.request("good.test", "/told?a=b").status == 401
    until(lambda: "/told?a=b" in balancer.log_text(), what="the request is in the access log")
    assert b"Statistics Report" in ask(stats, "/")[1]
    assert re.search(rb'haproxy_server_status{proxy="[^"]*",server="good', ask(stats, "/metrics")[1])

    admin = int(balancer.settings["admin"]["bind"].rpartition(":")[2])
    assert ask(admin, "/v1/status")[0] == 401
    assert ask(admin, "/v1/status", Authorization="Bearer wrong")[0] == 401
    assert b'"good"' in ask(admin, "/v1/status", Authorization=f"Bearer {token}")[1]
    assert b"longshore_" in ask(admin, "/metrics", Authorization=f"Bearer {token}")[1]

    for path in (balancer.state / "longshore.sock", *(balancer.state / "haproxy").glob("*.sock")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    until((balancer.state / "state.json").exists, what="the state is saved")
    for path in balancer.state.rglob("*"):
        assert path.is_dir() or not stat.S_IMODE(path.stat().st_mode) & 0o007, path
    status = balancer.command("status").stdout + json.dumps(balancer.status()) + balancer.command("events").stdout
    for secret in (token, hashed):
        assert secret not in status + balancer.log_text()


def ask(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
