"""What a configuration may say of plain processes, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.written import Written

SOURCES = "sources: {a: {type: etcd}, z: {type: zookeeper}, c: {type: consul}, r: {type: etcd, layout: registrator}}\n"
BEGIN = SOURCES + "register: {registry: [a, z, c, r], containers: false, services: {web: {port: 80, "


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("check: tcp, checks: [tcp]", "web: has both `check` and `checks`; put all of them into `checks`"),
        ("checks: [htpp]", 'web.checks[0]: "htpp" is not a check of the registrar'),
        ("checks: [{check: tcp, prot: 80}]", 'web.checks[0].prot: unknown key; did you mean "port"?'),
        ("checks: [{check: /, headers: {'a b': x}}]", 'web.checks[0].headers.a b: "a b" is not the name of a header'),
        ("registry: b", 'web.registry: "b" is none of the registries that are written to; expected one of: a, z, c, r'),
        (
            "registry: c, path: /x",
            "web.path: only entries of etcd and ZooKeeper in the layouts native or nerve may stand",
        ),
        (
            "registry: r, path: /x",
            "web.path: only entries of etcd and ZooKeeper in the layouts native or nerve may stand",
        ),
        ("registry: z, path: /", "web.path: entries cannot stand in ZooKeeper's root; choose a folder: /services/web"),
        ("registry: a, node-type: persistent", "web.node-type: has a meaning in ZooKeeper only"),
        ("registry: z, touch: 5s", "web.touch: is for nodes that stay: this one is kept by its session"),
        ("registry: z, node-type: eternal", 'web.node-type: expected "ephemeral-sequential", "ephemeral"'),
        ("rate-limit: {burst: 2}", "web.rate-limit.average: is missing"),
        ("rate-limit: {average: 1, burst: 0.5}", "web.rate-limit.burst: expected at least 1.0, got the number 0.5"),
        ("id: a/b", 'web.id: "a/b" cannot be part of a key'),
        ("labels: {a: [1]}", "web.labels.a: one value is expected here, not a list"),
        ("server_options: backup", 'web.server_options: unknown key; did you mean "server-options"?'),
    ],
)
def test_mistakes_are_said_at_their_place(written: Written, said: str, problem: str) -> None:
    (found,) = written.problems(f"{BEGIN}{said}}}}}}}\n")
    assert found.startswith("longshore.yaml:2:")
    assert f"register.services.{problem}" in found


def test_nothing_needs_to_be_written_anywhere(written: Written) -> None:
    text = "sources: {}\nregister: {containers: false, services: {web: {port: 80, registry: []}}}\n"
    assert not written.problems(text)
    assert written.problems(text.replace(", registry: []", "")) == [
        "longshore.yaml:2:1: register: there is no registry among the sources; add one: `sources: {etcd: {}}`"
    ]


def test_a_password_is_not_shown(written: Written) -> None:
    """`check --origins` lists everything else."""
    loaded = written.load(f"{BEGIN}registry: a, checks: [{{check: rabbitmq, password: secret}}]}}}}}}\n")
    assert not loaded.problems
    shown = {path: origin.value for path, origin in loaded.origins.items()}
    assert shown["register.services.web.checks[0].check"] == "rabbitmq"
    assert shown["register.services.web.checks[0].password"] == "**********"
    assert "secret" not in str(shown)
