"""docker-register's and docker-discover's environment, said in our terms."""

from __future__ import annotations

from functools import partial

import pytest

from longshore.compat.docker_register import discover, register
from longshore.config import load
from longshore.config.registries import EtcdSource


def source(**environ: str) -> EtcdSource:
    """The source of an environment that nothing is wrong with."""
    found = load(None, environ, foreign=partial(discover, environ)).config.sources["etcd"]
    assert isinstance(found, EtcdSource)
    return found


@pytest.mark.parametrize(
    ("host", "endpoints"),
    [
        pytest.param("10.0.0.1:2379", ("http://10.0.0.1:2379",), id="A4 ETCD_HOST: host and port"),
        pytest.param("10.0.0.1", ("http://10.0.0.1:4001",), id="A4 ETCD_HOST: its old port"),
        pytest.param("https://e:2379", ("https://e:2379",), id="A4 ETCD_HOST: a URL"),
        pytest.param("a:1,b:2", ("http://a:1", "http://b:2"), id="A4 ETCD_HOST: several"),
        pytest.param("[fd00::1]", ("http://[fd00::1]:4001",), id="A4 ETCD_HOST: IPv6"),
    ],
)
def test_where_etcd_is(host: str, endpoints: tuple[str, ...]) -> None:
    found = source(ETCD_HOST=host)
    assert (found.endpoints, found.prefix, found.layout) == (endpoints, "/backends", "docker-register")


@pytest.mark.parametrize("_", [pytest.param(0, id="A4 discover: statistics on 1936, nothing else listened on")])
def test_docker_discover_listens_for_statistics_and_images_alone(_: int) -> None:
    environ = {"ETCD_HOST": "e:2379"}
    loaded = load(None, environ, foreign=partial(discover, environ))
    assert (loaded.config.haproxy.stats, loaded.config.frontends) == (":1936", {})
    assert loaded.config.register_ is None
    (note,) = loaded.notes
    assert str(note).startswith("--docker-discover: sources.etcd.layout: etcd's API v3 is spoken")


@pytest.mark.parametrize("_", [pytest.param(0, id="A4 register: HOST_IP, ETCD_HOST, DOCKER_HOST, TTL 15")])
def test_docker_register_s_environment(_: int) -> None:
    environ = {"ETCD_HOST": "e:2379", "HOST_IP": "10.0.0.5", "DOCKER_HOST": "tcp://d:2375"}
    section = load(None, environ, foreign=partial(register, environ)).config.register_
    assert section
    assert (section.address, section.ttl, section.metadata) == ("10.0.0.5", 15.0, "docker-register")
    assert (section.registry, section.docker.host) == (("etcd",), "tcp://d:2375")


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        pytest.param({}, "ETCD_HOST: is not set: where is etcd?", id="A4 ETCD_HOST: not set"),
        pytest.param({"ETCD_HOST": "e:99999"}, "ETCD_HOST: sources.etcd.endpoints[0]: ", id="A4 ETCD_HOST: no port"),
        pytest.param(
            {"ETCD_HOST": "e", "HOST_IP": "1.2.3.4:80"}, "HOST_IP: register.address: ", id="A4 HOST_IP: a port"
        ),
    ],
)
def test_mistakes_are_said_with_the_variable(environ: dict[str, str], problem: str) -> None:
    (said,) = load(None, environ, foreign=partial(register, environ)).problems
    assert str(said).startswith(problem)


@pytest.mark.parametrize(
    ("environ", "note"),
    [
        pytest.param(
            {"ETCD_HOST": "e"}, "ETCD_HOST: sources.etcd.endpoints: says no port: 4001 is used", id="A4 4001 is said"
        ),
        pytest.param({"ETCD_HOST": "e"}, "HOST_IP: register: HOST_IP is not set", id="A4 HOST_IP: not set is said"),
    ],
)
def test_what_is_guessed_is_said(environ: dict[str, str], note: str) -> None:
    notes = [str(each) for each in load(None, environ, foreign=partial(register, environ)).notes]
    assert any(each.startswith(note) for each in notes)
