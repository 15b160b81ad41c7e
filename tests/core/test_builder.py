"""The builder's two promises: history does not matter, and what did not change is the identical object."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from longshore.core import spec
from longshore.core.build import Builder, OperatorService, Options, build
from longshore.core.conditions import Condition
from longshore.core.containers import Container, Network
from longshore.core.keys import KEYS
from longshore.core.places import ip
from tests.core.made import compose, container

_OPERATOR = OperatorService("ops", spec.Spec(), labels=(Condition("tier", "web"),), port=80)
_LABELS = st.dictionaries(
    st.sampled_from(
        ["host", "service", "port", "weight", "check", "enable", "tcp", "api.host", "api.service", "check.x"]
    ),
    st.sampled_from(["a.test", "b.test", "/x", "1", "80", "false", "app", "app-a.test"]),
    max_size=3,
)


@st.composite
def _containers(draw: st.DrawFn) -> Container:
    number = draw(st.integers(1, 5))
    owner = draw(st.integers(0, 5))
    return container(
        f"c-{number}",
        number,
        draw(_LABELS),
        image=draw(st.sampled_from(["local/app:1", "app-a.test"])),
        raw_labels=draw(st.sampled_from([{}, compose("shop", "web"), {"tier": "web"}])),
        status=draw(st.sampled_from(["running", "running", "paused", "restarting", "exited"])),
        health=draw(st.sampled_from(["", "healthy", "starting"])),
        stopping=draw(st.booleans()),
        networks=draw(st.sampled_from([(), (Network("bridge", "n0", "172.17.0.2"),)])),
        network_mode=f"container:{owner:012x}" + "0" * 52 if owner else "bridge",
    )


_STEPS = st.lists(
    st.one_of(_containers(), st.integers(1, 5), st.lists(_containers(), max_size=4), st.none()), max_size=12
)


@given(_STEPS, st.sampled_from(["labelled", "all"]), st.sampled_from(["compose", "image"]))
def test_any_history_gives_what_a_new_builder_gives(
    steps: list[Container | int | list[Container] | None], expose: object, group_by: str
) -> None:
    options = Options("docker", "all" if expose == "all" else "labelled", group_by, operator=(_OPERATOR,))
    builder = Builder(options)
    held: dict[str, Container] = {}
    for step in steps:
        if isinstance(step, Container):
            builder.set(step)
            held[step.id] = step
        elif isinstance(step, int):
            identity = f"{step:012x}" + "0" * 52
            builder.remove(identity)
            held.pop(identity, None)
        elif isinstance(step, list):
            builder.replace_all(step)
            held = {one.id: one for one in step}
        else:
            before = builder.build()
            assert builder.build() is before
    assert builder.build() == build(held.values(), options)
    assert builder.build() == build(reversed(held.values()), options)


def _shop() -> tuple[Builder, Container]:
    builder = Builder(Options("docker"))
    one = container("web-1", 1, {"service": "web", "host": "a.test"})
    builder.replace_all([one, container("api-1", 2, {"service": "api", "host": "b.test"})])
    return builder, one


def test_only_the_touched_service_is_another_object() -> None:
    builder, one = _shop()
    api, web = builder.build()[0]
    builder.set(replace(one, stopping=True))
    api_after, web_after = builder.build()[0]
    assert api_after is api
    assert web_after is not web


def test_a_change_that_means_nothing_changes_no_object() -> None:
    builder, one = _shop()
    before = builder.build()[0]
    builder.set(replace(one, env={"A": "1"}))
    assert all(after is was for after, was in zip(builder.build()[0], before, strict=True))


def test_replicas_share_their_policy_and_untouched_endpoints_stay() -> None:
    builder, one = _shop()
    before = builder.build()[0][1]
    builder.set(container("web-2", 3, {"service": "web", "host": "a.test"}))
    after = builder.build()[0][1]
    assert after.endpoints[0] is before.endpoints[0]
    assert after.policy is before.policy
    builder.remove(one.id)
    assert [endpoint.name for endpoint in builder.build()[0][1].endpoints] == ["web-2"]


_SAFE = re.compile(r"[A-Za-z0-9_.:/\[\]*=,~!$&()+@%-]*")
_HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(
        [
            '"',
            "'",
            ";",
            "\n",
            "\0",
            "\\",
            "`",
            "$(x)",
            "a.test\n  server x",
            'a" b',
            "a;b",
            "%[env(X)]",
            "\u202e",
            "x" * 65536,
        ]
    ),
    st.sampled_from(["a.test", "/x", "80", "true", "web", "leastconn", "10s", "ready"]),
)


@given(
    st.dictionaries(
        st.one_of(st.sampled_from([*KEYS, *(f"api.{key}" for key in KEYS)]), st.text(max_size=20)), _HOSTILE, max_size=4
    ),
    _HOSTILE,
    _HOSTILE,
)
def test_hostile_text_never_reaches_a_service(labels: dict[str, str], name: str, image: str) -> None:
    """Whatever labels, names and images hold: a problem in one printable line, or a service of harmless characters."""
    raw = {"com.docker.compose.project": name, "com.docker.compose.service": image}
    bad = container(name, 1, labels, image=image, raw_labels=raw, env={"X": name}, health=image[:20])
    services, problems = build([bad], Options("docker", "all", "env:X"))
    for problem in problems:
        assert (problem.where + problem.what + problem.hint).isprintable()
        assert len(problem.what) < 1000
    for service in services:
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", service.name)
        for route in service.routes:
            assert _SAFE.fullmatch(route.host + route.path + route.listen)
        for endpoint in service.endpoints:
            assert ip(endpoint.address)
            assert re.fullmatch(r"[A-Za-z0-9_.-]+", endpoint.name)
            assert re.fullmatch(r"[0-9a-f]{12}:[0-9]+", endpoint.id)
            assert endpoint.reason.isprintable()
        policy = service.policy
        assert _SAFE.fullmatch(
            policy.balance.replace(" ", "") + policy.sticky + "".join(policy.auth) + policy.check.host
        )
        assert _SAFE.fullmatch(policy.check.path.replace("?", "") + policy.check.status)
        assert policy.check.expect.isprintable()
