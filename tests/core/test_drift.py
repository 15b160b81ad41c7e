"""Drift: what HAProxy reports is named where it differs, becomes the mirror, and the next plan mends it."""

from dataclasses import replace

import pytest

from longshore.core.capabilities import TYPICAL, Capabilities
from longshore.core.drift import Observed, ObservedServer, correct, differences
from longshore.core.plan import plan
from longshore.core.running import Running
from longshore.core.steps import AddServer, PublishBackend, PutMap, Retire, SetAdmin, SetWeight
from longshore.core.wanted import Wanted, Wanter
from tests.core.test_plan import PATHS, service, started, wanted_of

OLD = TYPICAL[2, 6]


def world() -> tuple[Running, Wanted]:
    wanted = wanted_of(Wanter(OLD, PATHS), [service("web", "a", "b")])
    return started(wanted, OLD), wanted


def seen(running: Running) -> Observed:
    """HAProxy reports exactly what we believe."""
    return Observed(
        {
            name: {
                s.server.name: ObservedServer(
                    s.server.name, s.server.address, s.server.port, s.admin, s.weight, up=True
                )
                for s in backend.servers.values()
            }
            for name, backend in running.backends.items()
        },
        {path: dict(entries) for path, entries in running.maps.items()},
    )


def home(running: Running) -> str:
    return next(iter(running.placed))


def test_no_difference_is_no_drift() -> None:
    running, wanted = world()
    assert differences(running, seen(running)) == ()
    correct(running, seen(running))
    assert not plan(running, wanted, OLD).steps


def test_each_difference_is_named_and_mended() -> None:
    running, wanted = world()
    observed = seen(running)
    servers = dict(observed.servers[home(running)])
    first, second = sorted(servers)
    servers[first] = replace(servers[first], admin="maint", weight=3)
    del servers[second]
    servers["stranger"] = ObservedServer("stranger", "10.9.9.9", 80, "ready", 1, up=True)
    routes = PATHS.route_map("")
    changed = Observed(
        {**observed.servers, home(running): servers}, {**observed.maps, routes: {"evil.test/": home(running)}}
    )
    found = "\n".join(differences(running, changed))
    for words in ("is maint instead of ready", "has weight 3 instead of 100", "is missing", "stranger is not ours"):
        assert words in found
    assert "evil.test/ is not ours" in found
    assert "web.test/ leads to nothing" in found
    correct(running, changed)
    kinds = {type(step) for step in plan(running, wanted, OLD).steps}
    assert {AddServer, PutMap, Retire, SetAdmin, SetWeight} <= kinds


def test_a_map_that_haproxy_does_not_have_gets_no_commands() -> None:
    running, wanted = world()
    observed = seen(running)
    maps = {path: entries for path, entries in observed.maps.items() if path != PATHS.service_map}
    correct(running, Observed(observed.servers, maps))
    assert not plan(running, wanted, OLD).steps


@pytest.mark.parametrize("caps", [OLD, TYPICAL[3, 4]])
def test_what_was_made_since_the_record_was_written_is_known_again(caps: Capabilities) -> None:
    """longshore may be killed before it has saved: the next one finds the services where they are."""
    wanter = Wanter(caps, PATHS)
    record = started(wanted_of(wanter, []), caps)
    running = started(wanted_of(wanter, []), caps)
    wanted = wanted_of(wanter, [service("web", "a", "b")])
    for step in plan(running, wanted, caps).steps:
        running.follow(step)
    correct(record, seen(running))
    assert record.placed == running.placed
    assert {type(step) for step in plan(record, wanted, caps).steps} <= {PublishBackend}
    assert {name: list(b.servers) for name, b in record.backends.items()} == {
        name: list(b.servers) for name, b in running.backends.items()
    }
