"""Lines of the operator's own: served without a loss and without a reload, and a wrong one is said at its place."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.traffic import Copies, Traffic

pytestmark = pytest.mark.system

LABELS = {"app": "a"}
CHECKED = {"backend": ["option httpchk GET /"], "server": "check inter 200ms rise 1 fall 2"}


def service(address: str, raw: Mapping[str, object], **keys: object) -> dict[str, object]:
    """A service of the lab's containers with lines of its own."""
    return {"from": {"source": "docker", "label": "app=a"}, "listen": address, "raw": dict(raw), **keys}


def told(balancer: Balancer) -> list[dict[str, Any]]:
    """The problems of the status."""
    found = balancer.status()["problems"]
    assert isinstance(found, list)
    return found


def reasons(balancer: Balancer) -> list[str]:
    """Why HAProxy was reloaded, each time."""
    events = balancer.api("/v1/events")
    return [event["why"] for event in events["events"] if event["what"].startswith("HAProxy reloaded")]


def place_of(balancer: Balancer, text: str) -> str:
    """Where a text stands in the configuration, as problems say it."""
    for number, line in enumerate(balancer.config.read_text().splitlines(), 1):
        if (column := line.find(json.dumps(text))) >= 0:
            return f"{balancer.config}:{number}:{column + 1}"
    raise AssertionError(f"{text} is not written")


@pytest.fixture
def raw(engine: Engine, balance: Callable[..., Balancer]) -> Callable[..., Balancer]:
    """A factory of balancers whose port belongs to service "a", with these lines of its own."""

    def start(series: str, lines: Mapping[str, object], **config: object) -> Balancer:
        port = ports.free()
        settings = {"frontends": {"http": f":{ports.free()}"}, "services": {"a": service(f":{port}", lines)}, **config}
        return balance(engine=engine, series=series, port=port, config=settings)

    return start


@oldest_and_newest
def test_scaled_replaced_and_stopped_without_a_reload(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """As for every other service: no request is lost, no POST arrives twice."""
    b = raw(series, CHECKED)
    copies = Copies(engine, LABELS)
    first = copies.start()
    b.serves("any.test", 1)
    with Traffic(b) as traffic:
        more = [copies.start() for _ in range(3)]
        b.until_up("a", 4)
        traffic.more(30)
        for each in more[:2]:
            copies.start()
            b.until_up("a", 5)
            each.stop()
            copies.rm(each)
            b.until_up("a", 4)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Container.stop, [first, more[2]]))
        b.until_up("a", 2)
        traffic.more(30)
    assert traffic.lost == {}
    copies.check(traffic)
    assert b.reloads == 0


@oldest_and_newest
def test_comes_changes_and_goes_by_one_reload_each(engine: Engine, raw: Callable[..., Balancer], series: str) -> None:
    """Each says why; another service loses nothing meanwhile, and routes lead to declared backends."""
    b = raw(series, CHECKED)
    engine.run(labels={"app": "a"})
    engine.run(labels={"longshore.service": "b", "longshore.host": "b.test"})
    common = int(str(b.settings["frontends"]["http"]).removeprefix(":"))
    b.serves("b.test", 1, port=common)
    b.serves("any.test", 1)
    services = dict(b.settings["services"])
    steps: list[tuple[dict[str, object], str]] = [
        ({**services, "c": {"endpoints": ["127.0.0.1:9"], "raw": {}}}, "service c has lines of its own"),
        ({**services, "c": {"endpoints": ["127.0.0.1:9"], "raw": {"backend": ["http-reuse never"]}}}, "lines of its"),
        (services, "backend c is no longer declared: service c is gone"),
        ({"a": service(f":{b.port}", {**CHECKED, "frontend": ["option dontlog-normal"]})}, "changed"),
        ({"renamed": service(f":{b.port}", CHECKED)}, "service renamed has lines of its own"),
        ({"renamed": {key: value for key, value in service(f":{b.port}", {}).items() if key != "raw"}}, "frontend"),
    ]
    with Load(port=common, host="b.test", rate=50) as load, Load(port=b.port, host="x.test", rate=50) as own:
        for number, (wanted, why) in enumerate(steps, 1):
            b.configure({"services": None})
            b.configure({"services": wanted})
            b.send(signal.SIGHUP)
            until(lambda number=number: b.reloads == number, what=f"reload {number}")  # type: ignore[misc]
            assert why in reasons(b)[-1]
            load.more(20)
            own.more(20)
    assert load.report.lost == 0, load.report
    assert own.report.lost == 0, own.report


@oldest_and_newest
def test_a_line_that_haproxy_refuses_is_said_at_its_place_and_harms_nobody(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    b = raw(series, CHECKED)
    web = engine.run(labels={"app": "a"})
    b.serves("any.test", 1)
    wrong = {"backend": ["option httpchk GET /", "nosuch keyword"], "server": "check inter 200ms"}
    other = {"endpoints": [f"{web.address}:8000"], "listen": f":{ports.free()}", "raw": {"server": "check"}}
    services = {"a": service(f":{b.port}", wrong), "other": other}
    with Load(port=b.port, rate=50) as load:
        b.configure({"services": services})
        b.send(signal.SIGHUP)
        b.serves("any.test", 1, port=int(str(other["listen"]).removeprefix(":")))
        (problem,) = told(b)
        assert problem["where"] == place_of(b, "nosuch keyword")
        assert problem["service"] == "a"
        assert "unknown keyword 'nosuch'" in problem["what"]
        assert problem["what"].endswith("in: nosuch keyword")
        assert "stays in use" in problem["hint"]
        load.more(30)
        engine.run(labels={"app": "a"})
        b.serves("any.test", 2)  # its last good version has today's endpoints
        b.configure({"services": {**services, "a": service(f":{b.port}", CHECKED)}})
        b.send(signal.SIGHUP)
        b.until(lambda status: not status["problems"], "the problem is gone")
    assert load.report.lost == 0, load.report


@oldest_and_newest
def test_a_service_refused_at_the_start_is_left_out_alone(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    b = raw(series, {"frontend": ["use_backend nowhere if TRUE"]})
    engine.run(labels={"longshore.host": "b.test"})
    b.serves("b.test", 1, port=int(str(b.settings["frontends"]["http"]).removeprefix(":")))
    (problem,) = told(b)
    assert problem["service"] == "a"
    assert "nowhere" in problem["what"]
    assert problem["where"].startswith(f"{b.config}:")


@oldest_and_newest
def test_a_refused_line_of_the_process_leaves_the_good_ones_in_use(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """And what else needs a reload gets it."""
    b = raw(series, CHECKED, haproxy={"raw": {"global": ["tune.maxaccept 10"]}})
    engine.run(labels={"app": "a"})
    b.serves("any.test", 1)
    for lines, bad in (
        ({"global": ["tune.maxaccept 10", "tune.maxacept 20"]}, "tune.maxacept 20"),
        ({"global": ["tune.maxaccept 10"], "defaults": ["timeout sever 5s"]}, "timeout sever 5s"),
        ({"global": ["tune.maxaccept 10"], "sections": {"listen x": ["mode http", "bnd :1"]}}, "bnd :1"),
    ):
        b.configure({"haproxy": {"raw": lines}})
        port = ports.free()
        b.configure({"services": {f"s{port}": {"endpoints": ["127.0.0.1:9"], "listen": f":{port}"}}})
        b.send(signal.SIGHUP)
        until(lambda port=port: b.request(port=port).status == 503, what="the new frontend is there")  # type: ignore[misc]
        where = place_of(b, bad)
        b.until(lambda status, where=where: [p for p in status["problems"] if p["where"] == where])  # type: ignore[misc]
        assert "tune.maxaccept 10" in Path(b.state, "haproxy", "haproxy.cfg").read_text()
        b.serves("any.test", 1)
    b.configure({"haproxy": {"raw": {"global": ["tune.maxaccept 20"]}}})
    b.send(signal.SIGHUP)
    written = Path(b.state, "haproxy", "haproxy.cfg")
    until(lambda: "tune.maxaccept 20" in written.read_text(), what="the mended line is in use")
    b.until(lambda status: not [p for p in status["problems"] if p["where"].startswith(str(b.config))])


def test_a_refused_line_of_the_process_at_the_start_is_a_clear_error(
    engine: Engine, raw: Callable[..., Balancer]
) -> None:
    with pytest.raises(RuntimeError, match=r"longshore\.yaml:\d+:\d+: HAProxy does not accept this: .*maxacept"):
        raw("3.4", {}, haproxy={"raw": {"global": ["tune.maxacept 10"]}})


@oldest_and_newest
def test_servers_that_haproxy_takes_only_from_its_configuration_come_by_reload(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """It is said once, each reload says why, and nothing is lost."""
    b = raw(series, {"backend": ["balance static-rr"], "server": "check inter 200ms init-addr last,none"})
    copies = Copies(engine, LABELS)
    first = copies.start()
    b.serves("any.test", 1)
    with Traffic(b) as traffic:
        copies.start()
        b.until_up("a", 2)
        copies.start()
        b.until_up("a", 3)
        first.stop()
        b.until_up("a", 2)
        traffic.more(20)
    assert traffic.lost == {}
    copies.check(traffic)
    events = [event["what"] for event in b.api("/v1/events")["events"]]
    assert len([what for what in events if "they come by reload" in what]) == 1
    assert all("takes no such servers at runtime" in why for why in reasons(b)[1:])
    assert b.reloads >= 2


@oldest_and_newest
@pytest.mark.parametrize("kind", ["name", "hash"])
def test_a_cookie_leads_to_the_same_server(
    engine: Engine, raw: Callable[..., Balancer], series: str, kind: str
) -> None:
    """Also to one that was added at runtime; where HAProxy can, the value is what Synapse wrote."""
    b = raw(series, {"backend": ["cookie SRV insert indirect nocache"], "cookie": kind})
    for _ in range(3):
        engine.run(labels=LABELS)
    b.serves("any.test", 3)
    assert b.reloads == 0
    values = {}
    for _ in range(6):
        answer = b.request()
        match = re.match(r"SRV=([^;]+)", answer.headers["set-cookie"])
        assert match
        values[answer.who] = match[1]
    assert len(set(values.values())) == 3
    for who, value in values.items():
        assert {b.request(headers={"Cookie": f"SRV={value}"}).who for _ in range(4)} == {who}
    if series != "2.6":
        form = r"[A-Za-z0-9_.-]+_\d+\.\d+\.\d+\.\d+:8000" if kind == "name" else r"[0-9a-f]{40}"
        assert all(re.fullmatch(form, value) for value in values.values())


@oldest_and_newest
def test_other_lines_lead_to_a_declared_backend_by_its_name(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """A section of its own in front of a service that has no address, and a service that listens on a socket."""
    port, path = ports.free(), Path("/tmp", f"longshore-{ports.free()}.sock")
    web = engine.run(labels={"app": "none"})
    sections = {
        "frontend old": [
            "mode http",
            f"bind 127.0.0.1:{port}",
            "http-request set-header X-Old 1",
            "default_backend web",
        ]
    }
    services = {
        "web": {"endpoints": [f"{web.address}:8000"], "raw": {}},
        "sock": {"endpoints": [f"{web.address}:8000"], "listen": f"unix@{path}", "raw": {"bind": "mode 666"}},
    }
    b = raw(series, {}, services=services, haproxy={"raw": {"defaults": ["timeout client 20s"], "sections": sections}})
    b.serves("any.test", 1, port=port)
    assert told(b) == []
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    path.unlink(missing_ok=True)


@oldest_and_newest
def test_the_next_longshore_adopts_what_runs_and_goes_back_to_its_lines(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """No reload for a crash; and lines that were spoilt meanwhile are said, while those that run stay."""
    b = raw(series, CHECKED, haproxy={"raw": {"global": ["tune.maxaccept 10"]}})
    engine.run(labels={"app": "a"})
    b.serves("any.test", 1)
    with Load(port=b.port, rate=50) as load:
        b.kill9()
        b.start()
        engine.run(labels={"app": "a"})
        b.serves("any.test", 2)
        assert b.reloads == 0
        b.kill9()
        b.configure({"haproxy": {"raw": {"global": ["tune.maxacept 10"]}}})
        b.start()
        where = place_of(b, "tune.maxacept 10")
        b.until(lambda status: [problem for problem in status["problems"] if problem["where"] == where])
        engine.run(labels={"app": "a"})
        b.serves("any.test", 3)
    assert load.report.lost == 0, load.report


@oldest_and_newest
def test_a_service_that_others_lead_to_goes_and_comes_back(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """Who leads there goes on; only who asks for it gets 503. The good file ends that, and a reload judges again."""
    web = f"{engine.run(labels={'app': 'a'}).address}:8000"
    lines = {**CHECKED, "frontend": ["acl admin path_beg /admin", "use_backend node-admin if admin"]}
    admin = {"endpoints": [web], "raw": {"server": "check inter 200ms"}}
    b = raw(series, lines)
    b.configure({"services": {"node-admin": admin, **b.settings["services"]}})
    b.send(signal.SIGHUP)
    b.until(lambda status: not status["problems"] and len(status["services"]) == 2, "both are served")
    b.serves("any.test", 1)
    until(lambda: b.request(path="/admin").status == 200, what="the admin service answers")
    good = dict(b.settings["services"])
    with Load(port=b.port, rate=50) as load:
        for _ in range(2):
            b.configure({"services": None})
            b.configure({"services": {"a": good["a"]}})
            assert b.command("reload").returncode == 0
            (problem,) = told(b)
            assert problem["where"] == place_of(b, "use_backend node-admin if admin")
            assert "'node-admin'" in problem["what"]
            assert problem["hint"].startswith("The backend stays")
            assert b.status()["unserved"] == []
            assert b.request(path="/admin").status == 503
            assert b.command("health").returncode == 0
            load.more(20)
            b.configure({"services": good})
            b.send(signal.SIGHUP)
            until(lambda: b.request(path="/admin").status == 200, what="the admin service answers again")
            assert told(b) == []
    assert load.report.lost == 0, load.report


@oldest_and_newest
def test_the_last_good_version_keeps_the_backend_that_it_leads_to(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """Its new version is refused while the one it leads to goes: it is served as it was."""
    web = f"{engine.run(labels={'app': 'a'}).address}:8000"
    b = raw(series, {"frontend": ["use_backend node-admin if { path_beg /admin }"]})
    b.configure({"services": {"node-admin": {"endpoints": [web], "raw": {}}, **b.settings["services"]}})
    b.send(signal.SIGHUP)
    b.serves("any.test", 1)
    until(lambda: b.request(path="/admin").status == 200, what="the admin service answers")
    with Load(port=b.port, rate=50) as load:
        b.configure({"services": None})
        b.configure({"services": {"a": service(f":{b.port}", {"backend": ["nosuch keyword"]})}})
        assert b.command("reload").returncode == 0
        wheres = [problem["where"] for problem in told(b)]
        assert place_of(b, "nosuch keyword") in wheres
        assert len(wheres) == 2
        assert b.status()["unserved"] == []
        assert b.request(path="/admin").status == 503
        load.more(20)
    assert load.report.lost == 0, load.report


@oldest_and_newest
def test_a_service_that_is_not_served_at_all_is_not_well(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """Until what it leads to appears, which changes no line of its own."""
    b = raw(series, {"frontend": ["use_backend node-admin if { path_beg /admin }"]})
    web = f"{engine.run(labels={'app': 'a'}).address}:8000"
    b.until(lambda status: status["unserved"] == ["a"])
    assert [problem["hint"] for problem in told(b)] == ["It is not served."]
    shown, well, waited = (b.command(*each) for each in (["status"], ["health"], ["wait", "--timeout", "0"]))
    assert [shown.returncode, well.returncode, waited.returncode] == [1, 1, 1]
    assert "ready, but not served: a" in shown.stdout
    assert "not every service" in well.stderr
    assert "not served: a" in waited.stderr
    b.configure({"services": {"node-admin": {"endpoints": [web], "raw": {}}, **b.settings["services"]}})
    b.send(signal.SIGHUP)
    b.serves("any.test", 1)
    until(lambda: b.request(path="/admin").status == 200, what="the admin service answers")
    assert [b.command(each).returncode for each in ("status", "health", "wait")] == [0, 0, 0]
    assert told(b) == []


@oldest_and_newest
def test_the_next_longshore_keeps_the_backend_that_a_section_leads_to(
    engine: Engine, raw: Callable[..., Balancer], series: str
) -> None:
    """It is removed while longshore is away: the section stays as it is, and nothing else waits for its mending."""
    web, port = f"{engine.run(labels={'app': 'a'}).address}:8000", ports.free()
    lines = {"sections": {"frontend old": ["mode http", f"bind :{port}", "default_backend old-web"]}}
    b = raw(series, CHECKED, haproxy={"raw": lines}, services={"old-web": {"endpoints": [web], "raw": {}}})
    b.serves("any.test", 1, port=port)
    b.kill9()
    b.configure({"services": None})
    b.configure({"services": {"a": service(f":{b.port}", CHECKED)}})
    b.start()
    b.serves("any.test", 1)
    assert b.request(port=port).status == 503
    (problem,) = told(b)
    assert problem["where"] == place_of(b, "default_backend old-web")
    b.kill9()
    b.start()
    assert [problem["where"] for problem in told(b)] == [place_of(b, "default_backend old-web")]
    assert b.reloads == 0
