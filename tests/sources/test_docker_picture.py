"""The picture of an engine follows the truth, whatever happens while its questions are under way."""

from __future__ import annotations

import copy
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from longshore.clients.docker_events import Event
from longshore.core.address import Here
from longshore.core.build import Builder, Options
from longshore.core.model import EndpointState
from longshore.sources.docker_here import Place
from longshore.sources.docker_picture import LIVE, Picture
from tests.clients.fake_engine import container_id, document

NAMES = ("one", "two")
HERE = Here()
EPOCH = 1_700_000_000


class World:
    """An engine with its truth, its events on their way, and a picture with its questions on their way."""

    def __init__(self) -> None:
        self.picture = Picture("docker", lambda here: Builder(Options(source="docker", here=here)))
        self.picture.situate(Place(HERE))
        self.picture.listed()
        self.truth: dict[str, dict[str, Any]] = {}
        self.told_to_stop: set[str] = set()
        self.events: list[Event] = []
        self.open: dict[str, list[Any]] = {}  # a question: [answer or None while the engine is silent, ask again]
        self.clock = 0

    def emit(self, name: str, action: str, signal: str = "") -> None:
        self.clock += 1
        nanos = (EPOCH + self.clock) * 10**9
        self.events.append(Event(container_id(name), "container", action, name, signal, nanos))

    def do(self, name: str, action: str) -> None:
        """Let something happen at the engine, if it can."""
        doc = self.truth.get(name)
        status = doc["State"]["Status"] if doc else ""
        if action == "start" and status in ("", "exited"):
            self.clock += 1
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH + self.clock))
            self.truth[name] = document(name, started=started)
            self.told_to_stop.discard(name)
            self.emit(name, "start")
        elif action == "term" and status in LIVE:
            self.told_to_stop.add(name)
            self.emit(name, "kill", "15")
        elif action == "hup" and status in LIVE:
            self.emit(name, "kill", "1")
        elif action == "die" and status in LIVE:
            self.state(name, "exited")
            self.emit(name, "die")
        elif action == "destroy" and status == "exited":
            del self.truth[name]
            self.emit(name, "destroy")
        elif (action, status) in (("pause", "running"), ("unpause", "paused")):
            self.state(name, "paused" if action == "pause" else "running")
            self.emit(name, action)
        elif action == "deliver" and self.events:
            self.deliver()
        elif action == "capture" and container_id(name) in self.open:
            self.open[container_id(name)][0] = (copy.deepcopy(doc),)
        elif action == "answer":
            self.answer(container_id(name))

    def state(self, name: str, status: str) -> None:
        self.truth[name]["State"]["Status"] = status

    def deliver(self) -> None:
        """Bring the next event, as `one_stream` and `Asking` do."""
        event = self.events.pop(0)
        todo = self.picture.note(event)
        if event.container in self.open:
            self.open[event.container][1] = True
        elif todo.ask:
            self.open[event.container] = [None, False]

    def answer(self, identity: str) -> None:
        """Bring an answer that the engine has given, maybe long ago."""
        question = self.open.get(identity)
        if question is None or question[0] is None:
            return
        self.picture.learn(identity, question[0][0], EPOCH + self.clock)
        if question[1]:
            self.open[identity] = [None, False]
        else:
            del self.open[identity]

    def settle(self) -> None:
        """Bring everything that is on its way."""
        while self.events:
            self.deliver()
        while self.open:
            for name in NAMES:
                self.do(name, "capture")
                self.do(name, "answer")

    def expected(self) -> dict[str, EndpointState]:
        states = {}
        for name, doc in self.truth.items():
            if doc["State"]["Status"] not in LIVE:
                continue
            waits = doc["State"]["Status"] == "paused"
            states[name] = EndpointState.WAITING if waits else EndpointState.READY
            if name in self.told_to_stop:
                states[name] = EndpointState.STOPPING
        return states

    def seen(self) -> dict[str, EndpointState]:
        services = self.picture.view().made
        return {endpoint.name: endpoint.state for service in services for endpoint in service.endpoints}


STEPS = ("start", "term", "hup", "die", "destroy", "pause", "unpause", "deliver", "deliver", "capture", "answer")


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(STEPS)), max_size=60))
def test_when_all_is_said_the_picture_is_the_truth(steps: list[tuple[str, str]]) -> None:
    world = World()
    for name, action in steps:
        world.do(name, action)
    world.settle()
    assert world.seen() == world.expected()


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(STEPS)), max_size=60))
def test_a_container_told_to_stop_is_never_ready_once_that_is_delivered(steps: list[tuple[str, str]]) -> None:
    """Whatever answers from before come late."""
    world = World()
    for name, action in steps:
        world.do(name, action)
        if not world.events:
            for stopping in world.told_to_stop:
                assert world.seen().get(stopping) is not EndpointState.READY


def test_an_unchanged_container_is_no_change() -> None:
    world = World()
    doc = document("one")
    assert world.picture.learn(container_id("one"), doc, EPOCH)
    assert not world.picture.learn(container_id("one"), copy.deepcopy(doc), EPOCH + 5)


def test_a_signal_that_comes_before_the_answer_counts_from_when_it_was_sent() -> None:
    world, identity = World(), container_id("one")
    world.picture.note(Event(identity, "container", "start", nanos=(EPOCH + 1) * 10**9))
    world.picture.note(Event(identity, "container", "kill", signal="15", nanos=(EPOCH + 2) * 10**9))
    world.picture.listed()
    world.picture.learn(identity, document("one", started="2023-01-01T00:00:00Z"), EPOCH + 1)
    ((endpoint,),) = [service.endpoints for service in world.picture.view().made]
    assert (endpoint.state, endpoint.since) == (EndpointState.STOPPING, EPOCH + 2)


def test_a_start_forgets_the_stop_signal_even_if_the_engines_clock_went_back() -> None:
    world, identity = World(), container_id("one")
    world.picture.learn(identity, document("one", started="2023-01-01T00:00:00Z"), 0)
    world.picture.note(Event(identity, "container", "kill", signal="15", nanos=(EPOCH + 5000) * 10**9))
    world.picture.note(Event(identity, "container", "start", nanos=EPOCH * 10**9))
    world.picture.learn(identity, document("one", started="2023-11-14T22:13:20Z"), EPOCH)
    assert world.seen() == {"one": EndpointState.READY}


def test_a_container_in_trouble_is_asked_about_at_its_next_event() -> None:
    world, identity = World(), container_id("one")
    event = Event(identity, "container", "connect", nanos=1)
    assert not world.picture.note(event).ask
    world.picture.trouble(identity, "cannot be read")
    assert world.picture.note(event).ask


def test_a_break_tells_the_moment_it_began() -> None:
    picture = World().picture
    picture.broke("it refuses", "start it", "12:00:00")
    picture.broke("it is silent", "wait", "12:00:05")
    assert picture.view().stale == "it is silent, since 12:00:00"
    picture.listed()
    assert picture.view().stale == ""
    picture.broke("it refuses", "start it", "13:00:00")
    assert picture.view().stale == "it refuses, since 13:00:00"


def test_events_are_asked_for_from_the_last_one_on_to_the_nanosecond() -> None:
    world = World()
    assert world.picture.since(EPOCH) == f"{EPOCH - 15}.000000000"
    world.picture.note(Event("a" * 64, "container", "pause", nanos=1795272529000616601))
    assert world.picture.since(EPOCH) == "1795272529.000616601"


def test_before_the_first_listing_nothing_is_known() -> None:
    picture = Picture("docker", lambda here: Builder(Options(source="docker", here=here)))
    picture.situate(Place(HERE))
    picture.learn(container_id("one"), document("one"), 0)
    assert picture.view().made == ()
    assert picture.view().stale
