"""Lines of the operator's own: declared backends, frontends that lead there, words of servers, and who is blamed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from longshore.core import raw_lines
from longshore.core.arrange import layout
from longshore.core.blame import blame
from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.explain import Known, explain
from longshore.core.merge import Merger
from longshore.core.model import Check, Endpoint, Policy, Route, Service, Snapshot
from longshore.core.overrides import Overrides
from longshore.core.plan import cleanup, plan
from longshore.core.profile import profile_of
from longshore.core.quarantine import LineGate, Quarantine
from longshore.core.raw import Line, Raw, RawProcess, RawSection
from longshore.core.render import Paths, Process, render
from longshore.core.running import Running
from longshore.core.server import server_of
from longshore.core.steps import AddServer, Retire
from longshore.core.wanted import Wanted, Wanter, own_frontends
from tests.core.test_plan import apply, started, wanted_of

PATHS = Paths("/state")
OLD, NEW = TYPICAL[2, 6], TYPICAL[3, 4]
BOTH = pytest.mark.parametrize("caps", [OLD, NEW], ids=["2.6", "3.4"])
A, B = (Endpoint(f"10.0.0.{n}:80", f"n{n}", f"10.0.0.{n}", 80) for n in (1, 2))
RAW = Raw(
    "node",
    frontend=(Line("acl x path /x", "f:1"),),
    backend=(Line("option httpchk", "f:2"), Line("cookie SRV insert", "f:3")),
    bind=Line("maxconn 10", "f:4"),
    server=Line("check inter 2s weight 5", "f:5"),
    cookie="name",
    place="f:0",
)
WEB = Service("web", routes=(Route(listen=":8080"),), endpoints=(A,), raw=RAW)


def rendered(wanted: Wanted, caps: Capabilities, process: Process | None = None) -> str:
    wanted = replace(wanted, process=process) if process else wanted
    return render(layout(wanted, None, caps, (), 2)[0], caps)


def section(text: str, start: str) -> list[str]:
    """The lines of the section that begins so."""
    found = text[text.index(f"\n{start}") + 1 :].split("\n\n")[0].splitlines()
    return [line.strip() for line in found[1:]]


def wants(wanter: Wanter, *services: Service) -> Wanted:
    return wanted_of(wanter, list(services))


@BOTH
def test_a_declared_backend_has_its_name_and_its_lines_before_the_servers(caps: Capabilities) -> None:
    lines = section(rendered(wants(Wanter(caps, PATHS), WEB), caps), "backend node from p-")
    own = [line for line in lines if not line.startswith("guid")]
    assert own[0] == "option httpchk"
    assert own[-1].startswith("server n1.")
    assert own[-1].endswith("weight 5")
    assert "inter 2s" in own[-1]
    assert "inter 10s" not in own[-1]


@BOTH
def test_its_frontend_leads_there_and_adds_nothing_of_ours(caps: Capabilities) -> None:
    lines = section(rendered(wants(Wanter(caps, PATHS), WEB), caps), "frontend listen-8080 from raw:http")
    own = [line for line in lines if not line.startswith("guid")]
    assert own == ["bind :8080 maxconn 10", "acl x path /x", "default_backend node"]


def test_the_operators_defaults_win_over_ours_and_our_rules_stay() -> None:
    """What both say is said once, so HAProxy has nothing to warn of."""
    own = (Line("timeout server 5s"), Line("retries 1"), Line("http-request set-header X 1"))
    lines = profile_of(WEB, NEW, PATHS, own).lines
    assert lines[-3:] == tuple(line.text for line in own)
    assert [line for line in lines if line.startswith(("timeout server", "retries"))] == [
        "timeout server 5s",
        "retries 1",
    ]
    assert "retry-on conn-failure empty-response" in lines
    assert any(line.startswith("http-request disable-l7-retry") for line in lines)
    assert not any("httpchk" in line for line in lines)


def test_our_check_is_no_line_of_theirs() -> None:
    """Whatever the policy's check, HAProxy checks as the lines say: the policy is for our own first check."""
    http = replace(WEB, policy=Policy(check=Check("http", "/x")))
    assert profile_of(http, NEW, PATHS) == profile_of(WEB, NEW, PATHS)
    silent = replace(http, raw=Raw("node"))
    assert "check" not in server_of(silent, A, NEW).options


def test_a_check_has_the_method_that_was_said() -> None:
    said = replace(WEB, raw=None, policy=Policy(check=Check("http", method="OPTIONS")))
    assert any(line.startswith("http-check send meth OPTIONS ") for line in profile_of(said, NEW, PATHS).lines)


@BOTH
def test_it_comes_changes_and_goes_by_one_reload_that_says_why(caps: Capabilities) -> None:
    wanter = Wanter(caps, PATHS)
    running = started(wants(wanter), caps)
    changed = replace(WEB, raw=replace(RAW, backend=()))
    for services, why in (
        ([WEB], "service web has lines of its own: its backend node must be declared"),
        ([changed], "service web: the lines of its backend changed"),
        ([replace(changed, policy=Policy(timeout=1))], "service web: its lines or its settings changed"),
        ([replace(changed, raw=None)], "frontend listen-8080 changed"),
        ([changed], "service web has lines of its own"),
        ([], "backend node is no longer declared: service web is gone"),
    ):
        wanted = wants(wanter, *services)
        found = plan(running, wanted, caps).reload
        assert any(why in reason for reason in found), (why, found)
        running = apply(running, wanted, caps)
        assert not plan(running, wanted, caps)
    assert "node" not in running.backends


@BOTH
def test_its_servers_come_and_go_at_runtime(caps: Capabilities) -> None:
    wanter = Wanter(caps, PATHS)
    running = started(wants(wanter, WEB), caps)
    both = wants(wanter, replace(WEB, endpoints=(A, B)))
    todo = plan(running, both, caps)
    assert [type(step) for step in todo.steps] == [AddServer]
    assert not todo.reload
    running = apply(running, both, caps)
    fewer = wants(wanter, replace(WEB, endpoints=(B,)))
    todo = plan(running, fewer, caps)
    assert [type(step) for step in todo.steps] == [Retire]
    assert not todo.reload


@BOTH
def test_until_the_reload_that_takes_it_out_it_serves_on(caps: Capabilities) -> None:
    """Its frontend leads there until then: a service with another name on the same address loses nothing."""
    wanter = Wanter(caps, PATHS)
    running = started(wants(wanter, WEB), caps)
    for services in ([], [replace(WEB, name="renamed")], [replace(WEB, raw=None)]):
        assert not [step for step in plan(running, wants(wanter, *services), caps).steps if isinstance(step, Retire)]


@BOTH
def test_it_never_lives_in_a_slot_nor_is_it_tidied_away(caps: Capabilities) -> None:
    plain = Service("plain", routes=(Route("b.test"),), policy=Policy(check=Check("none")))
    alike = replace(plain, name="own", routes=(Route("a.test"),), raw=Raw("own"))
    wanter = Wanter(caps, PATHS)
    running = started(wants(wanter, plain), caps)
    running = apply(running, wants(wanter, plain, alike), caps)
    assert running.homes["own"] == {"own"}
    assert not cleanup(running, wants(wanter, plain, alike))
    moved = wants(wanter, plain, replace(alike, raw=Raw("other")))
    running = apply(running, moved, caps)
    assert running.homes["own"] == {"other"}


def test_no_slots_are_kept_ready_for_it() -> None:
    text = rendered(wants(Wanter(OLD, PATHS), WEB), OLD)
    assert "backend slot:" not in text


@BOTH
def test_servers_that_haproxy_refused_at_runtime_come_by_reload(caps: Capabilities) -> None:
    wanter = Wanter(caps, PATHS)
    running = started(wants(wanter, WEB), caps)
    both = replace(WEB, endpoints=(A, B))
    assert wanter.declare(both, "no such option")
    assert not wanter.declare(both, "no such option"), "known already"
    todo = plan(running, wants(wanter, both), caps)
    assert not todo.steps
    assert todo.reload == ("service web: HAProxy takes no such servers at runtime (no such option)",)
    gone = plan(running, wants(wanter, replace(WEB, endpoints=())), caps)
    assert [type(step) for step in gone.steps] == [Retire]
    assert not gone.reload
    mended = replace(both, raw=replace(RAW, server=Line("check")))
    assert not wanter.backend(mended, Overrides(), lambda *_: True).static


def test_words_that_the_two_ways_read_differently_are_never_sent_at_runtime() -> None:
    quoted = replace(WEB, raw=replace(RAW, server=Line("check sni 'str(a b)'")))
    assert Wanter(NEW, PATHS).backend(quoted, Overrides(), lambda *_: True).static


@pytest.mark.parametrize(
    ("words", "definition"),
    [
        ("check addr %{host} port %{port}", "check addr 10.0.0.1 port 80"),
        ("weight 3 check weight 7", "check"),
        ("observe-%{name}", "observe-n1"),
        ("cookie %{server}", "cookie n1_10.0.0.1:80"),
    ],
)
def test_words_of_servers_are_filled_in(words: str, definition: str) -> None:
    server = server_of(replace(WEB, raw=Raw("node", server=Line(words))), A, NEW)
    assert server.options.removeprefix("pool-conn-name var(txn.fresh) ") == definition


@pytest.mark.parametrize("name", ["", "10.0.0.1:80", "10.0.0.1-80"])
def test_who_has_no_name_goes_by_the_address(name: str) -> None:
    said = Raw("node", server=Line("cookie %{server}"))
    server = server_of(replace(WEB, raw=said), replace(A, name=name), NEW)
    assert server.options.endswith("cookie 10.0.0.1:80")


def test_the_last_weight_that_is_said_counts() -> None:
    said = Raw("node", server=Line("weight 3 check weight 7"))
    assert server_of(replace(WEB, raw=said), A, NEW).weight == 7
    assert server_of(replace(WEB, raw=Raw("node")), replace(A, weight=9), NEW).weight == 9


def test_a_name_from_elsewhere_is_one_word_whatever_it_holds() -> None:
    said = Raw("node", server=Line("check-sni %{name}"))
    server = server_of(replace(WEB, raw=said), replace(A, name="x backup; id 1\n"), NEW)
    assert "check-sni x-backup-id-1-" in server.options


def test_default_server_is_said_of_each_server() -> None:
    """HAProxy takes nothing from it for servers that are added at runtime."""
    said = Raw("node", backend=(Line("default-server inter 3s weight 9"),), server=Line("check"))
    server = server_of(replace(WEB, raw=said), A, NEW, (Line("default-server fall 7"),))
    assert server.options.endswith("fall 7 inter 3s check")
    assert server.weight == 9


def test_a_cookie_has_the_value_that_synapse_wrote() -> None:
    """`name_host:port`, without a name `host:port`; "hash" is its SHA-1 (Synapse 0.18, haproxy.rb)."""
    assert server_of(WEB, A, NEW).options.endswith("cookie n1_10.0.0.1:80")
    assert server_of(WEB, replace(A, name="10.0.0.1:80"), NEW).options.endswith("cookie 10.0.0.1:80")
    hashed = server_of(replace(WEB, raw=replace(RAW, cookie="hash")), A, NEW)
    assert hashed.options.endswith("cookie 6de24f4917581537d813c3abdf6f9e9a09d45c9f")
    without = replace(WEB, raw=replace(RAW, backend=()))
    assert "cookie" not in server_of(without, A, NEW).options


def test_where_added_servers_have_no_cookie_haproxy_makes_the_values() -> None:
    lines = raw_lines.backend_of(WEB, (), OLD)
    assert lines is not None
    assert lines.lines[1:] == ("cookie SRV insert dynamic", "dynamic-cookie-key longshore")
    assert profile_of(WEB, OLD, PATHS).dynamic_cookie
    assert "cookie" not in server_of(WEB, A, OLD).options


def test_tls_to_servers_by_their_words_keeps_connections_apart() -> None:
    said = replace(WEB, raw=Raw("node", server=Line("ssl verify none")))
    assert "sni var(txn.fresh)" not in server_of(said, A, OLD).options
    assert "option http-server-close" in profile_of(said, OLD, PATHS).lines


def test_sections_stand_at_the_end_behind_the_defaults() -> None:
    own = RawProcess(
        (Line("maxconn 7"), Line("tune.bufsize 20000")),
        (Line("timeout client 5s"),),
        (RawSection(Line("listen x"), (Line("bind :1"),)), RawSection(Line("peers y"))),
    )
    text = rendered(wants(Wanter(NEW, PATHS, own.defaults), WEB), NEW, Process(PATHS, raw=own))
    assert text.endswith("\ndefaults\n    timeout client 5s\n\nlisten x\n    bind :1\n\npeers y\n")
    assert [line for line in section(f"\n{text}", "global") if line.startswith("maxconn")] == ["maxconn 7"]
    assert "stats socket" in text


def test_lines_come_from_the_operator_alone() -> None:
    """Whatever a source says."""
    said = Service("web", routes=(Route("a.test"),), raw=RAW)
    (service,) = Merger().merge([Snapshot("s", (said,))]).services
    assert (service.raw, service.routes) == (None, said.routes)
    own = Raw("x", routed=False)
    (service,) = Merger(raw={"web": own}).merge([Snapshot("s", (said,))]).services
    assert (service.raw, service.routes) == (own, ())


@pytest.mark.parametrize("owner", ["label", "web"])
def test_an_address_of_a_service_with_lines_of_its_own_is_nobody_elses(owner: str) -> None:
    """Even when another one had it before."""
    label = Service("label", routes=(Route("b.test", listen=":8080"),))
    merger = Merger({"http :8080 b.test/": "label"} if owner == "label" else {}, raw={"web": RAW})
    merged = merger.merge([Snapshot("s", (label, replace(WEB, raw=None)))])
    assert merged.by_name["web"].routes == WEB.routes
    assert merged.by_name["label"].routes == ()
    assert "service web has the address for itself" in merged.problems[0].what


@dataclass(frozen=True)
class Said:
    """A complaint of HAProxy's."""

    text: str
    source: str = ""
    section: str = ""
    fatal: bool = True


PROCESS = RawProcess(
    (Line("g", "f:10"),), (Line("d", "f:11"),), (RawSection(Line("listen old", "f:12"), (Line("s", "f:13"),)),)
)


@pytest.mark.parametrize(
    ("complaint", "where"),
    [
        (Said("no", "acl x path /x", "frontend listen-8080 from raw:http"), "f:1"),
        (Said("no", "option httpchk", "backend node from p-1"), "f:2"),
        (Said("no", "cookie SRV insert dynamic", "backend node from p-1"), "f:3"),
        (Said("no", "bind :8080 maxconn 10", "frontend listen-8080 from raw:http"), "f:4"),
        (Said("no", "server n1.x 10.0.0.1:80 check", "backend node from p-1"), "f:5"),
        (Said("no", "guid b:node", "backend node from p-1"), "f:0"),
        (Said("Proxy 'listen-8080': unable to find required use_backend: 'x'."), "f:1"),
        (Said("Proxy 'listen-8080': unable to find required use_backend: 'y'."), "f:0"),
        (Said("config : 'server node/n1.x' : no"), ""),
        (Said("backend 'node' has no server"), "f:0"),
        (Said("no", "g", "global"), "f:10"),
        (Said("no", "d", "defaults p-12345678"), "f:11"),
        (Said("no", "d", "defaults"), "f:11"),
        (Said("no", "s", "listen old"), "f:13"),
        (Said("no", "listen old", "listen old"), "f:12"),
        (Said("Proxy 'old': no"), "f:12"),
        (Said("no", "balance x", "defaults p-1"), ""),
        (Said("only a warning", "g", "global", fatal=False), ""),
    ],
)
def test_whose_line_is_refused(complaint: Said, where: str) -> None:
    wanted = replace(wants(Wanter(NEW, PATHS), WEB), process=Process(PATHS, raw=PROCESS))
    found = blame([complaint], wanted, [WEB])
    problems = (*found.process, *found.services)
    assert [problem.where for problem in problems] == ([where] if where else [])
    assert all(complaint.text in problem.what for problem in problems)
    assert all(problem.service == "web" for problem in found.services)


def test_who_is_blamed_is_set_aside_alone_at_once() -> None:
    quarantine, other = Quarantine(), Service("other", policy=Policy(hold=1))
    good = replace(WEB, raw=Raw("node"))
    quarantine.taken([good, other])
    quarantine.admit((WEB, other))
    wanted = replace(wants(Wanter(NEW, PATHS), WEB), process=Process(PATHS))
    found = blame([Said("no", "option httpchk", "backend node from p-1")], wanted, [WEB])
    assert quarantine.blame([WEB, other], found.services)
    assert quarantine.admit((WEB, other)) == (good, other)
    (problem,) = quarantine.problems
    assert (problem.where, problem.service) == ("f:2", "web")
    assert quarantine.admit((replace(WEB, raw=Raw("mended")), other))[0].raw == Raw("mended")
    assert quarantine.problems == ()


def test_lines_that_were_good_once_and_are_refused_now_are_left_out() -> None:
    """They lead to a backend that is gone: nothing that needs a reload waits until that is mended."""
    quarantine, other = Quarantine(), Service("other")
    quarantine.taken([WEB, other])
    quarantine.admit((WEB, other))
    wanted = replace(wants(Wanter(NEW, PATHS), WEB), process=Process(PATHS))
    problems = blame([Said("no", "option httpchk", "backend node from p-1")], wanted, [WEB]).services
    assert quarantine.blame([WEB, other], problems)
    assert quarantine.admit((WEB, other)) == (WEB, other)
    assert quarantine.blame([WEB, other], problems)
    assert quarantine.admit((WEB, other)) == (other,)
    assert not quarantine.blame([WEB, other], problems), "there is nothing else to give"


def test_refused_lines_of_the_process_leave_the_good_ones_in_use() -> None:
    gate, good, bad = LineGate(), RawProcess((Line("a"),)), RawProcess((Line("b"),))
    problem = blame([Said("no", "g", "global")], _with(PROCESS), []).process
    assert gate.admit(good) == good
    gate.taken(good)
    assert gate.refused(bad, None, problem)
    assert gate.admit(bad) == good
    assert gate.problems == problem
    assert gate.admit(PROCESS) == PROCESS, "others are tried"
    assert gate.problems == ()
    assert not LineGate().refused(bad, None, problem), "at the start there are no good ones"
    assert LineGate().refused(bad, good, problem), "those that an adopted HAProxy runs are"


def _with(raw: RawProcess) -> Wanted:
    return Wanted(Process(PATHS, raw=raw), (), {})


def test_a_server_of_their_own_in_their_lines_is_left_alone() -> None:
    own = Raw("node", backend=(Line("server spare 10.0.0.9:80 backup"), Line("server-template t- 3 x:80")))
    running: Running = started(wants(Wanter(NEW, PATHS), replace(WEB, raw=own)), NEW)
    backend = running.backends["node"]
    assert [backend.theirs(name) for name in ("spare", "t-1", "t-x", "n1.x")] == [True, True, False, False]


def test_a_socket_gives_a_frontend_a_name_of_its_own() -> None:
    services = [replace(WEB, name=name, routes=(Route(listen=f"unix@/{name}/web.sock"),)) for name in ("a", "b")]
    names = [frontend.name for frontend in own_frontends(services, PATHS, {})]
    assert len(set(names)) == 2
    assert all(name.startswith("listen-web.sock-") for name in names)


def test_explain_knows_where_its_address_leads() -> None:
    known = Known((WEB,), own_frontends([WEB], PATHS, {}))
    assert explain("http://any.test:8080/x", known).service == "web"
