"""Plans: ordered so that every cut leaves a working balancer, and that planning again always gets there."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.core import steps
from longshore.core.arrange import layout, map_files, place
from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.hold import NOBODY
from longshore.core.model import Endpoint, EndpointState, Policy, Route, Service
from longshore.core.overrides import Overrides
from longshore.core.plan import cleanup, plan, settle
from longshore.core.profile import profile_of
from longshore.core.raw import Line, Raw
from longshore.core.render import Bind, Frontend, Paths, Process, maps_of
from longshore.core.running import Running, from_layout
from longshore.core.wanted import Wanted, Wanter, own_frontends

PATHS = Paths("/state")
PROCESS = Process(PATHS)
HTTP = Frontend("http", "http", (Bind(":80"),), PATHS.route_map(""))
OLD, NEW = TYPICAL[2, 6], TYPICAL[3, 4]


def service(name: str, *endpoints: str, host: str = "", policy: Policy | None = None, **fields: object) -> Service:
    """A service with endpoints like "a" (ready) or "a!" (stopping)."""
    made = tuple(
        Endpoint(
            id=f"{name}-{e.rstrip('!')}:80",
            name=f"{name}-{e.rstrip('!')}",
            address=f"10.0.0.{ord(e[0]) - 96}",
            port=80,
            state=EndpointState.STOPPING if e.endswith("!") else EndpointState.READY,
        )
        for e in endpoints
    )
    routes = (Route(host or f"{name}.test"),)
    return Service(name, routes=routes, policy=policy or Policy(), endpoints=made, **fields)  # type: ignore[arg-type]


def wanted_of(wanter: Wanter, services: list[Service], overrides: Overrides | None = None) -> Wanted:
    said = overrides or Overrides()
    backends = {s.name: wanter.backend(s, said, lambda *_: True) for s in services}
    return Wanted(PROCESS, (HTTP, *own_frontends(services, PATHS, {})), backends)


def started(wanted: Wanted, caps: Capabilities, spare: int = 4) -> Running:
    always = (profile_of(Service("x"), caps, PATHS),)
    made, backend_of = layout(wanted, None, caps, always, spare)
    maps = map_files(wanted, backend_of, maps_of(made))
    return from_layout(made, maps, {backend: name for name, backend in backend_of.items()})


def reloaded(running: Running, wanted: Wanted, caps: Capabilities) -> Running:
    made, backend_of = layout(wanted, running, caps, (), 4)
    maps = map_files(wanted, backend_of, maps_of(made))
    return from_layout(made, maps, {backend: name for name, backend in backend_of.items()})


def apply(running: Running, wanted: Wanted, caps: Capabilities) -> Running:
    """Apply a plan whole, reload if it says so."""
    todo = plan(running, wanted, caps)
    for step in todo.steps:
        running.follow(step)
    settle(running, wanted, todo.places, ())
    return reloaded(running, wanted, caps) if todo.reload else running


def serving(running: Running) -> dict[str, set[str]]:
    """Route key -> names of the servers that get requests."""
    return {
        key: {s.server.name for s in running.backends[name].servers.values() if s.admin == "ready"}
        for key, name in running.maps[PATHS.route_map("")].items()
        if running.backends[name].published
    }


def goal(wanted: Wanted) -> dict[str, set[str]]:
    return {
        key: {name for name, s in backend.servers.items() if s.admin == "ready"}
        for backend in wanted.backends.values()
        for path, key in backend.routes
        if path == PATHS.route_map("")
    }


def test_nothing_to_do_gives_an_empty_plan() -> None:
    wanted = wanted_of(Wanter(OLD, PATHS), [service("web", "a", "b")])
    assert not plan(started(wanted, OLD), wanted, OLD)


def test_scaling_never_reloads() -> None:
    for caps in (OLD, NEW):
        wanter = Wanter(caps, PATHS)
        running = started(wanted_of(wanter, [service("web")]), caps)
        for endpoints in ("a", "ab", "abcdef", "f", ""):
            wanted = wanted_of(wanter, [service("web", *endpoints)])
            todo = plan(running, wanted, caps)
            assert todo.reload == ()
            running = apply(running, wanted, caps)
            assert serving(running) == goal(wanted)


def test_a_new_service_of_a_known_profile_never_reloads() -> None:
    for caps in (OLD, NEW):
        wanter = Wanter(caps, PATHS)
        running = started(wanted_of(wanter, []), caps)
        wanted = wanted_of(wanter, [service("web", "a")])
        assert plan(running, wanted, caps).reload == ()
        assert serving(apply(running, wanted, caps)) == goal(wanted)


def test_slots_run_out_with_one_reload_that_adds_more() -> None:
    wanter = Wanter(OLD, PATHS)
    running = started(wanted_of(wanter, []), OLD, spare=1)
    wanted = wanted_of(wanter, [service("a", "a"), service("b", "b"), service("c", "c")])
    todo = plan(running, wanted, OLD)
    assert len(todo.reload) == 2
    assert "no free backend slot" in todo.reload[0]
    after = apply(running, wanted, OLD)
    assert serving(after) == goal(wanted)
    assert plan(after, wanted, OLD).reload == ()


def test_a_profile_never_seen_costs_one_reload_and_says_why() -> None:
    wanter = Wanter(NEW, PATHS)
    running = started(wanted_of(wanter, []), NEW)
    wanted = wanted_of(wanter, [service("web", "a", policy=Policy(balance="leastconn"))])
    assert "profile" in plan(running, wanted, NEW).reload[0]


def test_a_stopping_endpoint_is_retired_and_can_come_back() -> None:
    wanter = Wanter(OLD, PATHS)
    before = [service("web", "a", "b")]
    running = started(wanted_of(wanter, before), OLD)
    todo = plan(running, wanted_of(wanter, [service("web", "a", "b!")]), OLD)
    assert [type(step) for step in todo.steps] == [steps.Retire]
    running = apply(running, wanted_of(wanter, [service("web", "a", "b!")]), OLD)
    todo = plan(running, wanted_of(wanter, before), OLD)
    assert [type(step) for step in todo.steps] == [steps.SetAdmin]


def test_a_retired_server_is_deleted_later_and_a_slot_given_back() -> None:
    wanter = Wanter(OLD, PATHS)
    running = started(wanted_of(wanter, [service("web", "a")]), OLD)
    gone = wanted_of(wanter, [])
    running = apply(running, gone, OLD)
    first = cleanup(running, gone)
    assert [type(step) for step in first] == [steps.DelServer]
    for step in first:
        running.follow(step)
    for step in cleanup(running, gone):
        running.follow(step)
    assert not running.placed
    assert not cleanup(running, gone)


def test_a_changed_policy_moves_the_service_before_the_old_servers_retire() -> None:
    wanter = Wanter(NEW, PATHS)
    lean = Policy(balance="leastconn")
    other = service("other", "z", policy=lean)  # so that the profile is loaded
    running = started(wanted_of(wanter, [service("web", "a"), other]), NEW)
    wanted = wanted_of(wanter, [service("web", "a", policy=lean), other])
    todo = plan(running, wanted, NEW)
    kinds = [type(s) for s in todo.steps if not (isinstance(s, steps.PutMap) and s.map != PATHS.route_map(""))]
    assert kinds.index(steps.AddServer) < kinds.index(steps.PublishBackend) < kinds.index(steps.PutMap)
    assert kinds.index(steps.PutMap) < kinds.index(steps.Retire)
    assert serving(apply(running, wanted, NEW)) == goal(wanted)


def test_an_operators_weight_and_drain_are_runtime_steps() -> None:
    wanter = Wanter(OLD, PATHS)
    web = service("web", "a", "b")
    running = started(wanted_of(wanter, [web]), OLD)
    said = Overrides().with_weight("web", "web-a:80", 7, 1.0).with_admin("web", "web-b:80", "drain", 1.0)
    todo = plan(running, wanted_of(wanter, [web], said), OLD)
    assert {type(step) for step in todo.steps} == {steps.SetWeight, steps.SetAdmin}


def test_a_service_that_waits_for_a_reload_serves_on_as_before() -> None:
    wanter = Wanter(OLD, PATHS)
    running = started(wanted_of(wanter, [service("web", "a")]), OLD)
    wanted = wanted_of(wanter, [service("web", "a", policy=Policy(balance="leastconn"))])
    todo = plan(running, wanted, OLD)
    assert todo.reload
    assert todo.steps == ()


LINES = (Line("option httpchk"),)
NAMES = st.sampled_from(["one", "two", "three"])
POLICIES = st.sampled_from([Policy(), Policy(balance="leastconn"), Policy(hold=5.0), Policy(balance="static-rr")])


@st.composite
def worlds(draw: st.DrawFn) -> list[Service]:
    """Up to three services with some endpoints, some with lines of their own; each route is claimed by at most one."""
    hosts = ["a.test", "b.test", "c.test"]
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    owned = draw(st.permutations(hosts))
    return [
        service(
            name,
            *draw(st.lists(st.sampled_from(["a", "b", "c", "d!", "e"]), unique=True, max_size=4)),
            host=host,
            policy=draw(POLICIES),
            raw=draw(st.sampled_from([None, None, Raw(f"own-{name}"), Raw(f"own-{name}", backend=LINES)])),
        )
        for name, host in zip(names, owned, strict=False)
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(worlds(), min_size=2, max_size=4), st.sampled_from([OLD, NEW]), st.data())
def test_a_plan_can_be_cut_anywhere(history: list[list[Service]], caps: Capabilities, data: st.DataObject) -> None:
    """After any step: no route leads nowhere, none leads to another service's servers, and none that had and keeps
    ready servers is without one. Planning again from the cut reaches what is wanted."""
    wanter = Wanter(caps, PATHS)
    running = started(wanted_of(wanter, history[0]), caps, spare=6)
    for services in history[1:]:
        wanter.forget(s.name for s in services)
        wanted = wanted_of(wanter, services)
        todo = plan(running, wanted, caps)
        before, then = serving(running), goal(wanted)
        keeps = {key for key in before if before[key] & {n for names in then.values() for n in names}}
        cut = copy.deepcopy(running)
        stop = data.draw(st.integers(0, len(todo.steps)))
        for number, step in enumerate(todo.steps):
            running.follow(step)
            if number < stop:
                cut.follow(step)
            now = serving(running)
            for key, name in running.maps[PATHS.route_map("")].items():
                assert name in running.backends, f"{key} leads nowhere after {step}"
            for key in keeps & then.keys():
                same_service = (before[key] & then[key]) - {NOBODY.name}
                if same_service:
                    assert now.get(key), f"{key} has no server after {step}"
        settle(running, wanted, todo.places, ())
        running = reloaded(running, wanted, caps) if todo.reload else running
        again = apply(cut, wanted, caps)
        for result in (running, again):
            assert serving(result) == then
            assert not plan(result, wanted, caps)
        for step in cleanup(running, wanted):
            if data.draw(st.booleans()):
                running.follow(step)
        assert serving(running) == then


def test_places_are_kept_while_the_profile_stays() -> None:
    wanter = Wanter(OLD, PATHS)
    wanted = wanted_of(wanter, [service("web", "a"), service("api", "b")])
    running = started(wanted, OLD)
    assert place(wanted, running, OLD, wanted.backends).backend_of == {s: b for b, s in running.placed.items()}


def test_a_service_that_waits_for_a_reload_and_has_no_server_is_helped_out_at_once() -> None:
    """Requests that the old worker holds get the new servers; after the reload the old place is given up."""
    for caps in (OLD, NEW):
        wanter = Wanter(caps, PATHS)
        running = started(wanted_of(wanter, [service("web")]), caps)
        wanted = wanted_of(wanter, [service("web", "a", policy=Policy(balance="leastconn"))])
        todo = plan(running, wanted, caps)
        assert todo.reload
        assert [type(step) for step in todo.steps] == [steps.AddServer]
        after = apply(running, wanted, caps)
        assert serving(after) == goal(wanted)
        assert len(after.homes["web"]) == 1
