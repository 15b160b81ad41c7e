"""What can be said of the sources `swarm` and `agents`, and of the section `agent`."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config.swarm import AgentsSource, SwarmSource
from tests.config.written import Written


def test_a_swarm_by_its_name_alone_is_the_local_engine(written: Written) -> None:
    source = written.load("sources: {swarm: {}}").config.sources["swarm"]
    assert source == SwarmSource()
    assert isinstance(source, SwarmSource)
    assert (source.host, source.expose, source.networks) == ("unix:///var/run/docker.sock", "labelled", ())


def test_agents_are_found_by_name_or_known_by_address(written: Written) -> None:
    text = "sources: {agents: {dns: tasks.agent, token-file: token, addresses: ['10.0.0.5:8404', '[fd00::5]:8404']}}"
    source = written.load(text).config.sources["agents"]
    assert isinstance(source, AgentsSource)
    assert (source.dns, source.port, source.keep) == ("tasks.agent", 8404, 600.0)
    assert source.addresses == ("10.0.0.5:8404", "[fd00::5]:8404")
    assert source.token_file == written.path.parent / "token"


def test_services_of_the_configuration_may_be_made_of_both(written: Written) -> None:
    text = """
sources: {swarm: {}, agents: {dns: tasks.agent}}
services:
  one: {from: {source: swarm, service: shop_web, port: 8000}, host: one.test}
  two: {from: {source: agents, image: local/app, port: 8000}, host: two.test}
"""
    assert written.problems(text) == []


def test_what_an_agent_does_is_said_by_variables_as_well(written: Written) -> None:
    environ = {"LONGSHORE_AGENT_TOKEN_FILE": "/run/secrets/longshore", "LONGSHORE_AGENT_BIND": "127.0.0.1:9000"}
    agent = written.load(None, environ).config.agent
    assert (agent.token_file, agent.bind) == (Path("/run/secrets/longshore"), "127.0.0.1:9000")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sources: {agents: {}}", "says neither `dns` nor `addresses`"),
        ("sources: {agents: {addresses: [vm1.internal]}}", "is not the address of an agent"),
        ("sources: {agents: {addresses: ['vm1.internal:8404']}}", "is not the address of an agent"),
        ("sources: {agents: {dns: tasks.agent, group-by: 'env:X'}}", "do not tell the environment"),
        ("sources: {agents: {dns: 'a b'}}", "is not a plain word"),
        ("sources: {swarm: {host: 'http://x:1'}}", 'did you mean "tcp://x:1"?'),
        ("sources: {swarm: {networks: ['a b']}}", "is not a plain word"),
        ("agent: {address: vm1}", "is not an IP address"),
        ("agent: {serve-tls: {cert: a.pem}}", "key"),
    ],
)
def test_mistakes_are_said(written: Written, text: str, words: str) -> None:
    (problem,) = written.problems(text)
    assert words in problem
