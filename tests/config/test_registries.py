"""The configuration of registries and of the registrar: what is accepted, and mistakes said at their line."""

from __future__ import annotations

import pytest

from longshore.agent.connect_registries import adapter_of, registry_options
from longshore.config.registries import ConsulSource, EtcdSource, ZookeeperSource
from longshore.core.conditions import Condition
from longshore.core.register_check import RegisterCheck
from longshore.sources.several import Several
from tests.config.written import Written


def test_the_defaults_are_those_of_the_design(written: Written) -> None:
    sources = written.load("sources: {etcd: {}, zookeeper: {}, consul: {}}").config.sources
    etcd, zookeeper, consul = sources["etcd"], sources["zookeeper"], sources["consul"]
    assert isinstance(etcd, EtcdSource)
    assert isinstance(zookeeper, ZookeeperSource)
    assert isinstance(consul, ConsulSource)
    assert (etcd.endpoints, etcd.prefix, etcd.layout) == (("http://127.0.0.1:2379",), "/longshore/services", "native")
    assert (zookeeper.hosts, zookeeper.prefix) == (("127.0.0.1:2181",), "/longshore/services")
    assert consul.address == "http://127.0.0.1:8500"


def test_everything_can_be_said(written: Written) -> None:
    config = written.load(
        """
        sources:
          east:
            type: etcd
            endpoints: ["https://e1.internal:2379", "https://[fd00::5]:2379"]
            prefix: backends/
            layout: docker-register
            username: longshore
            password-file: password
            tls: {ca: ca.pem, cert: c.pem, key: k.pem}
            labels: [tier=web, "v!=2"]
            tags: blue
            find: named
          zk: {type: zookeeper, hosts: "z1:2181", layout: serverset, endpoint: http, auth-file: auth}
          consul: {address: "unix:///run/consul.sock", token-file: token, datacenter: dc2}
        register:
          registry: [east, consul]
          address: 10.0.0.5
          name: h1
          ttl: 15s
          zone: eu-1a
          expose: all
          networks: [lan]
          interval: 500ms
          deregister-delay: 5s
          services:
            db: {port: 5432, tcp: ":5432", check: redis, weight: 5}
            api: {port: 80, address: vm1.internal, host: api.test, check: /health}
        """
    ).config
    east = config.sources["east"]
    assert isinstance(east, EtcdSource)
    assert east.prefix == "/backends"
    assert east.password_file == written.path.parent / "password"
    register = config.register_
    assert register is not None
    assert (register.registry, register.ttl, register.interval, register.deregister_delay) == (
        ("east", "consul"),
        15.0,
        0.5,
        5.0,
    )
    assert register.services["db"].check == RegisterCheck("redis")
    assert register.services["db"].pairs == {"tcp": ":5432"}
    assert register.services["api"].check == RegisterCheck("http", "/health")


def test_origins_show_the_registrar_as_it_was_written(written: Written) -> None:
    text = 'sources: {etcd: {}}\nregister: {services: {db: {port: 5432, check: "https:/up"}}}'
    origins = written.load(text).origins
    assert origins["register.services.db.check"].value == "https:/up"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            'etcd: {endpoints: "127.0.0.1:2379"}',
            '"127.0.0.1:2379" is not an address like "http://127.0.0.1:2379"; did you mean "http://127.0.0.1:2379"?',
        ),
        ('etcd: {endpoints: "http://e1"}', '"http://e1" says no port; write "http://127.0.0.1:2379"'),
        ("etcd: {endpoints: []}", "expected at least one"),
        ("etcd: {prefix: /a/../b}", '"/a/../b" contains "." or ".."'),
        ("etcd: {prefix: /}", '"/" is not a path like "/longshore/services"'),
        (
            "etcd: {layout: serverset}",
            '"registrator", "skydns2" or "docker-register", got "serverset"',
        ),
        ("etcd: {tls: {cert: a.pem}}", "has only one of cert and key; expected both"),
        ("etcd: {labels: =web}", '"=web" names no label; write "tier", "tier=web" or "tier!=web"'),
        ("etcd: {endpoint: x}", 'unknown key; did you mean "endpoints"?'),
        ("zookeeper: {hosts: z1}", '"z1" is not the host and port of a server; write "z1:2181"'),
        (
            "consul: {address: /run/consul.sock}",
            '"/run/consul.sock" is not an address like "http://127.0.0.1:8500"',
        ),
        ("consul: {datacenter: a b}", '"a b" is not a name'),
    ],
)
def test_mistakes_in_a_registry_are_said(written: Written, source: str, problem: str) -> None:
    (said,) = written.problems(f"sources: {{{source}}}")
    assert said.startswith("longshore.yaml:1:")
    assert problem in said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("register: {}", "register: there is no registry among the sources; add one: `sources: {etcd: {}}`"),
        (
            "sources: {etcd: {}, consul: {}}\nregister: {}",
            "register.registry: does not say where to write: etcd or consul?; one of them, or a list",
        ),
        (
            "sources: {etcd: {}}\nregister: {registry: consul}",
            'register.registry: there is no registry "consul" among the sources; expected one of: etcd',
        ),
        (
            "sources: {zookeeper: {layout: serverset}}\nregister: {registry: zookeeper}",
            'register.registry: registry "zookeeper" has the layout serverset, which longshore only reads; '
            "expected one of: native, nerve",
        ),
        (
            "sources: {etcd: {}}\nregister: {ttl: 1s}",
            "register.ttl: must be from 2s to 1h",
        ),
        (
            "sources: {etcd: {}}\nregister: {services: {db: {port: 80, wieght: 5}}}",
            'register.services.db.wieght: unknown key; did you mean "weight"?',
        ),
        (
            "sources: {etcd: {}}\nregister: {services: {db: {port: 80, host: a b}}}",
            'register.services.db.host: "a b" is not a host name',
        ),
        (
            "sources: {etcd: {}}\nregister: {services: {db: {port: 80, check: htpp}}}",
            'register.services.db.check: "htpp" is not a check of the registrar; write "tcp", "tls", "/path", '
            '"https:/path", "grpc", "grpc:NAME", "redis", "redis:KEY", "rabbitmq", "exec:COMMAND", "docker" or "none"',
        ),
        ("sources: {etcd: {}}\nregister: {services: {db: {}}}", "register.services.db.port: is missing"),
    ],
)
def test_mistakes_in_the_registrar_s_section_are_said(written: Written, text: str, problem: str) -> None:
    (said,) = written.problems(text)
    assert problem in said


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        ("{from: {source: etcd, image: a}}", "services.a.from.image: has no meaning for a source of type etcd"),
        ("{from: {path: /x}}", "services.a.from.path: has no meaning for a source of type docker"),
        ("{from: {tag: x}}", "services.a.from.tag: has no meaning for a source of type docker"),
        ("{from: {source: consul, path: /x}}", "services.a.from.path: Consul's services stand beneath no path"),
        (
            "{from: {source: files, service: x}}",
            'services.a.from.source: source "files" has no containers, entries or names to pick from; '
            "expected one of: docker, etcd, consul",
        ),
    ],
)
def test_conditions_that_nothing_can_fulfil_are_said(written: Written, service: str, problem: str) -> None:
    sources = "{docker: {}, etcd: {}, consul: {}, files: {type: file, path: /tmp}}"
    (said,) = written.problems(f"sources: {sources}\nservices: {{a: {service}}}")
    assert problem in said


def test_the_environment_says_it_too(written: Written) -> None:
    environ = {
        "LONGSHORE_SOURCES_ETCD_ENDPOINTS": "http://e1:2379, http://e2:2379",
        "LONGSHORE_REGISTER_TTL": "20s",
        "LONGSHORE_REGISTER_SERVICES_DB_PORT": "5432",
        "DOCKER_HOST": "tcp://10.0.0.9:2375",
    }
    config = written.load("register: {registry: etcd}", environ).config
    assert config.register_ is not None
    assert config.register_.ttl == 20.0
    assert config.register_.services["db"].port == 5432
    assert config.register_.docker.host == "tcp://10.0.0.9:2375"
    etcd = config.sources["etcd"]
    assert isinstance(etcd, EtcdSource)
    assert etcd.endpoints == ("http://e1:2379", "http://e2:2379")


def test_settings_become_options_of_the_source(written: Written) -> None:
    loaded = written.load(
        """
        sources: {etcd: {labels: tier=web, tags: [blue], find: named}}
        services:
          a: {from: {source: etcd, path: /elsewhere/a, port: 8080}, host: a.test}
          b: {from: {source: etcd, service: b, label: v=2, tag: x}, listen: ":8080"}
        """
    )
    source = loaded.config.sources["etcd"]
    assert isinstance(source, EtcdSource)
    options = registry_options(loaded, "etcd", source)
    assert (options.labels, options.tags, options.find) == ((Condition("tier", "web"),), ("blue",), "named")
    assert options.prefixes == ("/elsewhere/a", "/longshore/services")
    a, b = options.picks
    assert (a.name, a.path, a.port, a.spec.host) == ("a", "/elsewhere/a", 8080, ("a.test",))
    assert (b.service, b.labels, b.tag) == ("b", (Condition("v", "2"),), "x")
    assert isinstance(adapter_of(source, options), Several)
