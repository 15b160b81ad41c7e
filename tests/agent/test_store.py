"""The state on disk: written as a whole, read strictly, never in the way."""

from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.agent.encoding import MalformedError, decode, encode
from longshore.agent.store import State, Store, write
from longshore.core.model import Check, Endpoint, EndpointState, Policy, Problem, Route, Service, Snapshot
from longshore.core.overrides import Overrides
from longshore.core.remember import Kept

WEB = Service(
    "web",
    routes=(Route("a.test", "/api"), Route("*", "/x", exact=True, listen=":8080")),
    policy=Policy(check=Check("http", "/up", expect="né\n\u2028"), auth=("me:$6$x",), hold=3),
    endpoints=(Endpoint("0a1b:80", "web-1", "fd00::5", 80, state=EndpointState.STOPPING, since=12.5),),
    sources=("docker",),
)
STATE = State(
    snapshots=(Snapshot("docker", (WEB,), (Problem("container x", "says no port", service="x"),)), Snapshot("file")),
    overrides=Overrides().with_admin("web", "", "drain", 5.0).with_weight("web", "0a1b:80", 7, 6.0),
    kept={"old": Kept(Service("old", "tcp", (Route(listen=":5432"),)), 99.5)},
    owners={"http a.test/api/": "web"},
    extra={"layout": {"web": "slot:p-1:001"}},
)


def fresh(state: State) -> State:
    """The state without the marks that reading it puts on snapshots."""
    return replace(state, snapshots=tuple(replace(snapshot, stale="") for snapshot in state.snapshots))


async def saved(folder: Path, state: State = STATE) -> Store:
    store = Store(folder)
    store.save(state)
    await store.close()
    assert store.problem is None
    return store


async def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    await saved(tmp_path)
    store = Store(tmp_path)
    assert fresh(store.load()) == STATE
    assert store.found is None


async def test_snapshots_come_back_stale_and_keep_an_older_reason(tmp_path: Path) -> None:
    await saved(tmp_path, State(snapshots=(Snapshot("docker"), Snapshot("east", stale="no answer since 12:03"))))
    docker, east = Store(tmp_path).load().snapshots
    assert "saved at" in docker.stale
    assert east.stale == "no answer since 12:03"


def test_without_a_file_the_state_is_empty_and_nothing_is_said(tmp_path: Path) -> None:
    store = Store(tmp_path / "missing")
    assert store.load() == State()
    assert store.found is None


async def test_file_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "longshore"
    store = await saved(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert [each.name for each in folder.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"version": 2}',
        b'{"version": 1}',
        b"[" * 100_000,
        b'{"version": 1, "saved": "x", "snapshots": [], "overrides": [], "kept": [], "owners": {}, "extra": {}}',
        b'{"version": 1, "saved": 0, "snapshots": [{}], "overrides": [], "kept": [], "owners": {}, "extra": {}}',
        b'{"version": 1, "saved": 0, "snapshots": [], "overrides": [], "kept": [], "owners": [], "extra": {}}',
    ],
)
async def test_a_file_that_cannot_be_understood_is_moved_aside_and_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    store = Store(tmp_path)
    assert store.load() == State()
    assert store.found is not None
    assert str(path) in store.found.where
    assert not path.exists()
    assert (tmp_path / "state.json.broken").read_bytes() == content
    await saved(tmp_path)
    assert fresh(Store(tmp_path).load()) == STATE


async def test_a_folder_that_takes_nothing_is_a_problem_until_it_does(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("a file where the folder should be")
    store = Store(folder)
    store.save(STATE)
    await store.flush()
    assert store.problem is not None
    assert "cannot be written" in store.problem.what
    folder.unlink()
    await store.flush()
    assert store.problem is None
    assert fresh(Store(folder).load()) == STATE
    await store.close()


def test_a_write_that_fails_leaves_the_old_file_and_no_remains(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "new \udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


async def test_it_is_written_by_itself_and_a_burst_is_one_write(tmp_path: Path) -> None:
    times: list[float] = []

    def clock() -> float:
        times.append(1.0)
        return 1.0

    store = Store(tmp_path, delay=0.01, clock=clock)
    for _ in range(20):
        store.save(State())
    store.save(STATE)
    async with asyncio.timeout(20):
        while not store.path.exists():  # noqa: ASYNC110 - a file gives no event
            await asyncio.sleep(0.005)
    assert fresh(Store(tmp_path).load()) == STATE
    assert len(times) == 1
    await store.close()


async def test_a_service_that_changed_is_written_anew_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = Service("other", sources=("docker",))
    changed = replace(WEB, endpoints=())
    for services in ((WEB, other), (changed, other), (changed,)):
        store.save(State(snapshots=(Snapshot("docker", services),)))
        await store.flush()
        assert fresh(Store(tmp_path).load()).snapshots == (Snapshot("docker", services),)
    await store.close()


def test_defaults_are_not_spelled_out() -> None:
    assert encode(Service("web", endpoints=(Endpoint("a:80", "a", "10.0.0.1", 80),))) == {
        "name": "web",
        "endpoints": [{"id": "a:80", "name": "a", "address": "10.0.0.1", "port": 80}],
    }


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"name": 1},
        {"name": "web", "mode": "udp"},
        {"name": "web", "routes": {}},
        {"name": "web", "routes": [{"exact": 1}]},
        {"name": "web", "endpoints": [{"id": "a", "name": "a", "address": "1.1.1.1", "port": "80"}]},
        {"name": "web", "endpoints": [{"id": "a", "name": "a", "address": "1.1.1.1", "port": True}]},
        {"name": "web", "endpoints": [{"id": "a", "name": "a", "address": "1.1.1.1", "port": 80, "state": "up"}]},
    ],
)
def test_what_does_not_fit_its_type_is_refused(value: Any) -> None:
    with pytest.raises(MalformedError):
        decode(Service, value)


FLOATS = st.floats(allow_nan=False)
ENDPOINTS = st.builds(
    Endpoint,
    *(st.text(), st.text(), st.text(), st.integers(), st.integers(), st.booleans()),
    *(st.sampled_from(EndpointState), st.text(), FLOATS, st.text()),
)
ROUTES = st.builds(Route, st.text(), st.text(), st.booleans(), st.text())
POLICIES = st.builds(
    Policy,
    check=st.builds(Check, st.sampled_from(["tcp", "http"]), st.text(), interval=FLOATS, fall=st.integers()),
    timeout=FLOATS,
    tls=st.booleans(),
    auth=st.lists(st.text()).map(tuple),
)
SERVICES = st.builds(
    Service,
    st.text(),
    st.sampled_from(["http", "tcp"]),
    st.lists(ROUTES).map(tuple),
    POLICIES,
    st.lists(ENDPOINTS).map(tuple),
    st.lists(st.text()).map(tuple),
)


@given(SERVICES)
def test_every_service_survives_the_way_to_json_and_back(service: Service) -> None:
    assert decode(Service, json.loads(json.dumps(encode(service)))) == service
