"""registrator's command line and environment, said in our terms: its table of flags and of registries, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from longshore.compat.registrator import read
from longshore.config import Loaded, load
from longshore.config.registries import ConsulSource, EtcdSource, ZookeeperSource

CONSUL = "consul://localhost:8500"


def loaded(*words: str, environ: Mapping[str, str] | None = None, socket: bool = False) -> Loaded:
    """What comes of a command line."""
    environ = environ or {}
    return load(None, environ, foreign=lambda: read(words, environ, is_there=lambda _: socket))


def register(*words: str, environ: Mapping[str, str] | None = None, socket: bool = False) -> Any:
    """The section `register` of a command line that nothing is wrong with."""
    return loaded(*words, environ=environ, socket=socket).config.register_


def source(uri: str, **environ: str) -> Any:
    """The only source, of a URI that nothing is wrong with."""
    (found,) = loaded(uri, environ=environ).config.sources.values()
    return found


def problems(*words: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong."""
    return list(map(str, loaded(*words, environ=environ).problems))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param((CONSUL,), {"metadata": "registrator", "expose": "all", "ttl": 10.0}, id="A5 flags: none"),
        pytest.param(("-ip", "10.0.0.5", CONSUL), {"address": "10.0.0.5"}, id="A5 -ip"),
        pytest.param(("--ip=10.0.0.5", CONSUL), {"address": "10.0.0.5"}, id="A5 -ip: spelled otherwise"),
        pytest.param(("-internal", CONSUL), {"networks": ("*",)}, id="A5 -internal"),
        pytest.param(("-internal=false", CONSUL), {"networks": ()}, id="A5 -internal: off"),
        pytest.param(("-explicit", CONSUL), {"expose": "labelled"}, id="A5 -explicit"),
        pytest.param(("-useIpFromLabel", "ip", CONSUL), {"address_label": "ip"}, id="A5 -useIpFromLabel"),
        pytest.param(("-tags", "a,b", CONSUL), {"tags": ("b", "a")}, id="A5 -tags"),
        pytest.param(
            ("-tags", "{{ .Name }},b", CONSUL), {"tags": ("{{ .Name }},b",)}, id="A5 -tags: a Go template as it is"
        ),
        pytest.param(("-ttl", "30", "-ttl-refresh", "10", CONSUL), {"ttl": 30.0}, id="A5 -ttl and -ttl-refresh"),
        pytest.param(("-ttl", "9999", "-ttl-refresh", "10", CONSUL), {"ttl": 3600.0}, id="A5 -ttl: at most an hour"),
        pytest.param(("-resync", "60", CONSUL), {"ttl": 10.0}, id="A5 -resync"),
        pytest.param(("-cleanup", CONSUL), {"cleanup": True}, id="A5 -cleanup"),
        pytest.param(("-deregister", "always", CONSUL), {}, id="A5 -deregister: always"),
        pytest.param(("-deregister=on-success", CONSUL), {}, id="A5 -deregister: on-success"),
        pytest.param(("-retry-attempts", "-1", "-retry-interval", "500", CONSUL), {}, id="A5 -retry-attempts"),
        pytest.param(
            (CONSUL, "-internal", "-ip", "10.0.0.5"), {"address": "10.0.0.5"}, id="A5 flags after the URI count"
        ),
        pytest.param(("-internal", "--", CONSUL), {"networks": ("*",)}, id="A5 flags end at --"),
    ],
)
def test_flags(words: tuple[str, ...], expected: dict[str, Any]) -> None:
    found = register(*words)
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("words", "note"),
    [
        pytest.param(
            (CONSUL,), "register.metadata: a container is registered when it is healthy", id="A5 events: start"
        ),
        pytest.param((CONSUL,), "register.ttl: entries do not stay for ever", id="A5 -ttl: not said"),
        pytest.param(
            ("-ttl", "9", "-ttl-refresh", "3", CONSUL),
            "-ttl-refresh: register.ttl: is not needed",
            id="A5 -ttl-refresh",
        ),
        pytest.param(
            ("-ttl", "9999", "-ttl-refresh", "3", CONSUL), "-ttl: register.ttl: 9999 s is out", id="A5 -ttl: long"
        ),
        pytest.param(("-resync", "60", CONSUL), "-resync: register: is not needed", id="A5 -resync: said"),
        pytest.param(("-deregister", "on-success", CONSUL), "leaves as any other does", id="A5 -deregister: said"),
        pytest.param(("-retry-interval", "5", CONSUL), "for as long as it takes", id="A5 -retry-interval: said"),
        pytest.param(("-cleanup", "etcd://e/x"), "does nothing but in Consul", id="A5 -cleanup: elsewhere"),
        pytest.param(("etcd://e/x",), "etcd's API v3 is spoken", id="A5 etcd: API v3 is said"),
    ],
)
def test_what_means_something_else_is_said(words: tuple[str, ...], note: str) -> None:
    found = loaded(*words)
    assert found.valid, found.problems
    assert any(note in str(each) for each in found.notes)
    assert all(str(each).startswith("--registrator") for each in found.notes)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param((), "says no registry; the last word is its URI: consul://localhost:8500", id="A5 flags: no URI"),
        pytest.param(
            ("-ttl", "30", CONSUL),
            "-ttl: register.ttl: -ttl-refresh is missing beside it: the two belong together; like -ttl 30",
            id="A5 -ttl without -ttl-refresh",
        ),
        pytest.param(
            ("-ttl-refresh", "30", CONSUL),
            "-ttl-refresh: register.ttl: -ttl is missing beside it",
            id="A5 -ttl-refresh without -ttl",
        ),
        pytest.param(
            ("-ttl", "10", "-ttl-refresh", "10", CONSUL),
            "-ttl: register.ttl: 10 is not greater than -ttl-refresh, which is 10",
            id="A5 -ttl not greater than -ttl-refresh",
        ),
        pytest.param(("-ttl", "-1", CONSUL), "-ttl: register.ttl: is less than 0", id="A5 -ttl: negative"),
        pytest.param(("-ttl", "30s", CONSUL), '-ttl: expected a number, got "30s"', id="A5 -ttl: no number"),
        pytest.param(
            ("-ipp", "1.2.3.4", CONSUL), "-ipp: is no flag of registrator's; did you mean -ip?", id="A5 flags: unknown"
        ),
        pytest.param(("-useipfromlabel", "x", CONSUL), "did you mean -useIpFromLabel?", id="A5 flags: other capitals"),
        pytest.param((CONSUL, "--json"), "longshore's own options stand before --registrator", id="A5 flags: ours"),
        pytest.param((CONSUL, "-ip"), "-ip: needs a value", id="A5 flags: no value"),
        pytest.param(
            ("-internal", "true", CONSUL), "a switch has its value behind =: -internal=true", id="A5 flags: switch"
        ),
        pytest.param(("-internal=maybe", CONSUL), 'expected true or false, got "maybe"', id="A5 flags: odd switch"),
        pytest.param(("-deregister", "never", CONSUL), 'expected "always" or "on-success"', id="A5 -deregister: odd"),
        pytest.param(("-retry-interval", "0", CONSUL), "must be greater than 0", id="A5 -retry-interval: 0"),
        pytest.param(
            ("-ip", "here!", CONSUL), '-ip: register.address: "here!" is neither an IP', id="A5 -ip: no address"
        ),
        pytest.param(
            ("-tags", "{{ nope }}", CONSUL), '-tags: register.tags[0]: there is no function "nope"', id="A5 -tags: odd"
        ),
        pytest.param(
            ("-tags", '{{ httpGet "x" }}', CONSUL), "the function httpGet is not supported", id="A5 -tags: httpGet"
        ),
        pytest.param((CONSUL, "etcd://x/y"), "one registrator has one registry", id="A5 flags: two URIs"),
        pytest.param(("consull://x",), "did you mean consul://localhost:8500?", id="A5 URI: misspelled"),
        pytest.param(("http://x:8500",), "did you mean consul://localhost:8500?", id="A5 URI: http"),
        pytest.param(("localhost:8500",), "known are: consul, consul-tls", id="A5 URI: no scheme"),
        pytest.param(("etcd://x",), "says no path: entries would stand among everything", id="A5 etcd: no prefix"),
        pytest.param(("consulkv://x/",), "says no path", id="A5 consulkv: no prefix"),
        pytest.param(("zookeeper://x",), "says no path", id="A5 zookeeper: no base"),
        pytest.param(("zookeeper:///base",), "says no address", id="A5 zookeeper: no address"),
        pytest.param(("skydns2://x",), "says no domain", id="A5 skydns2: no domain"),
        pytest.param(("skydns2://x/a_/b",), '"a_/b" is not a domain', id="A5 skydns2: odd domain"),
        pytest.param(("consul-tls://",), "says no address", id="A5 consul-tls: no address"),
        pytest.param(("consul://h/p",), "Consul's services stand beneath no path; consulkv://", id="A5 consul: a path"),
        pytest.param(("consul-unix://x",), '"x" is not the path of a socket', id="A5 consul-unix: no path"),
        pytest.param(("consul://u:p@h",), "says a user", id="A5 consul: a user"),
        pytest.param(("consul://h:99999",), "consul.address", id="A5 consul: no port"),
        pytest.param(("etcd://h:x/p",), '"http://h:x" is not an address', id="A5 etcd: no port"),
    ],
)
def test_mistakes_are_said(words: tuple[str, ...], problem: str) -> None:
    said = problems(*words)
    assert len(said) == 1, said
    assert problem in said[0]
    assert said[0].startswith("--registrator")


def test_all_mistakes_are_said_at_once() -> None:
    said = problems("-ip", "here!", "-ttl", "5", "-deregister", "x", "-foo", CONSUL)
    assert len(said) == 4


@pytest.mark.parametrize(
    ("uri", "environ", "expected"),
    [
        pytest.param(CONSUL, {}, {"address": "http://localhost:8500", "layout": "registrator"}, id="A5 consul"),
        pytest.param("consul:", {}, {"address": "http://127.0.0.1:8500"}, id="A5 consul: where it is by default"),
        pytest.param("consul://h", {}, {"address": "http://h:8500"}, id="A5 consul: its usual port"),
        pytest.param(
            "consul://", {"CONSUL_HTTP_ADDR": "c:1"}, {"address": "http://c:1"}, id="A5 consul: CONSUL_HTTP_ADDR"
        ),
        pytest.param(
            CONSUL,
            {"CONSUL_HTTP_TOKEN": "s3cret"},
            {"token_variable": "CONSUL_HTTP_TOKEN"},
            id="A5 consul: CONSUL_HTTP_TOKEN",
        ),
        pytest.param("consul-unix:///run/consul.sock", {}, {"address": "unix:///run/consul.sock"}, id="A5 consul-unix"),
        pytest.param("consul-tls://c:8501", {}, {"address": "https://c:8501", "tls": None}, id="A5 consul-tls"),
        pytest.param(
            "consulkv://h:8500/a/b",
            {},
            {"layout": "consulkv", "prefix": "/a/b", "address": "http://h:8500"},
            id="A5 consulkv",
        ),
        pytest.param(
            "consulkv-unix:///run/c.sock:/a",
            {},
            {"address": "unix:///run/c.sock", "prefix": "/a"},
            id="A5 consulkv-unix",
        ),
    ],
)
def test_registries_of_consul(uri: str, environ: dict[str, str], expected: dict[str, Any]) -> None:
    found = source(uri, **environ)
    assert isinstance(found, ConsulSource)
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    "_", [pytest.param(0, id="A5 consul-tls: CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY")]
)
def test_certificates_of_consul(_: int) -> None:
    files = {"CONSUL_CACERT": "/ca.pem", "CONSUL_CLIENT_CERT": "/c.pem", "CONSUL_CLIENT_KEY": "/k.pem"}
    tls = source("consul-tls://c:8501", **files).tls
    assert [str(each) for each in (tls.ca, tls.cert, tls.key)] == ["/ca.pem", "/c.pem", "/k.pem"]
    (said,) = problems("consul-tls://c:8501", environ=files | {"CONSUL_CLIENT_KEY": ""})
    assert "has only one of cert and key" in said
    (said,) = problems("consul://c:8500", environ={"CONSUL_HTTP_AUTH": "u:p"})
    assert said.startswith("CONSUL_HTTP_AUTH: sources.consul: has no meaning here")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        pytest.param(
            "etcd://e:2379/services",
            {"endpoints": ("http://e:2379",), "prefix": "/services", "layout": "registrator"},
            id="A5 etcd",
        ),
        pytest.param("etcd:///x", {"endpoints": ("http://127.0.0.1:2379",)}, id="A5 etcd: where it is by default"),
        pytest.param(
            "etcd://a,b:4001/x", {"endpoints": ("http://a:2379", "http://b:4001")}, id="A5 etcd: several endpoints"
        ),
        pytest.param(
            "skydns2://e:2379/cluster.local", {"prefix": "/skydns/local/cluster", "layout": "skydns2"}, id="A5 skydns2"
        ),
    ],
)
def test_registries_of_etcd(uri: str, expected: dict[str, Any]) -> None:
    found = source(uri)
    assert isinstance(found, EtcdSource)
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("uri", "hosts"),
    [
        pytest.param("zookeeper://z:2182/base", ("z:2182",), id="A5 zookeeper"),
        pytest.param("zookeeper://z1,z2/base", ("z1:2181", "z2:2181"), id="A5 zookeeper: several servers"),
    ],
)
def test_registries_of_zookeeper(uri: str, hosts: tuple[str, ...]) -> None:
    found = source(uri)
    assert isinstance(found, ZookeeperSource)
    assert (found.hosts, found.prefix, found.layout) == (hosts, "/base", "registrator")


@pytest.mark.parametrize(
    ("environ", "socket", "host"),
    [
        pytest.param({}, True, "unix:///tmp/docker.sock", id="A5 DOCKER_HOST: where registrator expects it"),
        pytest.param({}, False, "unix:///var/run/docker.sock", id="A5 DOCKER_HOST: the usual place"),
        pytest.param({"DOCKER_HOST": "tcp://e:2375"}, True, "tcp://e:2375", id="A5 DOCKER_HOST: said"),
    ],
)
def test_where_the_engine_is(environ: dict[str, str], socket: bool, host: str) -> None:
    assert register(CONSUL, environ=environ, socket=socket).docker.host == host
