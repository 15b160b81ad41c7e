"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config.environment import variable
from longshore.config.outline import settings
from longshore.config.schema import Config, DockerSource
from longshore.config.sources import SOURCES
from tests.config.written import Written


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("LONGSHORE_STATE_DIR", "/state", "state_dir", Path("/state")),
        ("LONGSHORE_FORGET_AFTER", "2m", "forget_after", 120.0),
        ("LONGSHORE_ADMIN_BIND", "off", "admin.bind", ""),
        ("LONGSHORE_HAPROXY_BINARY", "/opt/haproxy", "haproxy.binary", "/opt/haproxy"),
        ("LONGSHORE_HAPROXY_MAX_CONNECTIONS", "100", "haproxy.max_connections", 100),
        ("LONGSHORE_HAPROXY_ACCESS_LOG", "true", "haproxy.access_log", True),
        ("LONGSHORE_HAPROXY_ACCESS_LOG", "0", "haproxy.access_log", False),
    ],
)
def test_a_variable_sets_its_setting(written: Written, name: str, text: str, attribute: str, value: object) -> None:
    found: object = written.load(environ={name: text}).config
    for part in attribute.split("."):
        found = getattr(found, part)
    assert found == value


def test_a_variable_wins_over_the_file(written: Written) -> None:
    loaded = written.load("haproxy: {binary: from-file, threads: 2}", {"LONGSHORE_HAPROXY_BINARY": "from-environment"})
    assert (loaded.config.haproxy.binary, loaded.config.haproxy.threads) == ("from-environment", 2)


def test_a_variable_mends_what_is_wrong_in_the_file(written: Written) -> None:
    assert written.problems("haproxy: {threads: many}", {"LONGSHORE_HAPROXY_THREADS": "2"}) == []


def test_an_empty_variable_counts_as_not_set(written: Written) -> None:
    assert written.load(environ={"LONGSHORE_HAPROXY_BINARY": "", "LONGSHORE_TYPO": ""}).config == Config()


def test_names_of_the_file_can_be_part_of_a_variable(written: Written) -> None:
    text = """
        sources: {far-east: {type: docker}}
        services: {node: {from: {source: far-east, image: x}}, node-check: {endpoints: ["a:1"]}}
    """
    environ = {
        "LONGSHORE_SOURCES_FAR_EAST_HOST": "tcp://10.0.0.1:2376",
        "LONGSHORE_SOURCES_FAR_EAST_TLS_CA": "/ca.pem",
        "LONGSHORE_SERVICES_NODE_FROM_PORT": "8000",
        "LONGSHORE_SERVICES_NODE_CHECK": "/",
        "LONGSHORE_SERVICES_NODE_CHECK_HOST": "a.test",
        "LONGSHORE_SERVICES_NODE_CHECK_CHECK_FALL": "5",
    }
    loaded = written.load(text, environ)
    config = loaded.config
    east = config.sources["far-east"]
    assert isinstance(east, DockerSource)
    assert east.host == "tcp://10.0.0.1:2376"
    assert east.tls is not None
    assert east.tls.ca == Path("/ca.pem")
    node = config.services["node"]
    assert [item.port for item in node.origins] == [8000]
    assert loaded.specs["node"].check == "/"
    assert loaded.specs["node-check"].check_fall == 5
    assert loaded.specs["node-check"].host == ("a.test",), "of two names that fit, the longer one is meant"


def test_variables_can_say_all_that_a_container_needs_without_a_file(written: Written) -> None:
    environ = {
        "LONGSHORE_FRONTENDS_HTTPS_BIND": ":443, [::]:443",
        "LONGSHORE_FRONTENDS_HTTPS_TLS_CERTIFICATES": "/certs",
        "LONGSHORE_SOURCES_FILE_PATH": "/services.d",
    }
    config = written.load(environ=environ).config
    assert config.frontends["http"].bind == (":80",)
    assert config.frontends["https"].bind == (":443", "[::]:443")
    assert list(config.sources) == ["docker", "file"]


def test_the_short_form_of_a_frontend_can_be_added_to(written: Written) -> None:
    config = written.load('frontends: {http: ":80"}', {"LONGSHORE_FRONTENDS_HTTP_PROXY_PROTOCOL": "yes"}).config
    assert config.frontends["http"].proxy_protocol
    assert config.frontends["http"].bind == (":80",)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("LONGSHORE_HAPROXY_BINRY", '; did you mean "LONGSHORE_HAPROXY_BINARY"?'),
        ("LONGSHORE_SOURCES_DOCKER_HSOT", '; did you mean "LONGSHORE_SOURCES_DOCKER_HOST"?'),
        ("LONGSHORE_CONFG", '; did you mean "LONGSHORE_CONFIG"?'),
        ("LONGSHORE_ZZZZZZ", ""),
    ],
)
def test_an_unknown_variable_is_a_mistake_with_a_suggestion(written: Written, name: str, sentence: str) -> None:
    assert written.problems(environ={name: "x"}) == [f"{name}: unknown environment variable{sentence}"]


def test_a_wrong_value_is_said_with_its_variable_after_the_mistakes_of_the_file(written: Written) -> None:
    environ = {"LONGSHORE_HAPROXY_THREADS": "many", "LONGSHORE_SOURCES_EAST_HOST": "tcp://a:1"}
    assert written.problems("forget-after: [1]", environ) == [
        "longshore.yaml:1:15: forget-after: one value is expected here, not a list",
        'LONGSHORE_HAPROXY_THREADS: haproxy.threads: expected a whole number, got "many"',
        "LONGSHORE_SOURCES_EAST_HOST: sources.east: says no type; expected `type:` with one of: " + ", ".join(SOURCES),
    ]


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = [variable(setting.path) for setting in settings()]
    starred = {variable(setting.path) for setting in settings() if setting.path[-1] == "type"}
    assert {name for name in names if names.count(name) > 1} <= starred


def test_docker_host_is_meant_where_no_host_is_said(written: Written) -> None:
    text = "sources: {docker: {expose: all}, east: {type: docker, host: 'ssh://east'}}"
    config = written.load(text, {"DOCKER_HOST": "tcp://10.0.0.1:2375"}).config
    assert config.sources["docker"] == DockerSource(host="tcp://10.0.0.1:2375", expose="all")
    assert config.sources["east"] == DockerSource(host="ssh://east")


def test_docker_tls_verify_brings_the_certificates_of_docker_cert_path(written: Written) -> None:
    environ = {"DOCKER_HOST": "tcp://10.0.0.1:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    source = written.load(environ=environ).config.sources["docker"]
    assert isinstance(source, DockerSource)
    assert source.tls is not None
    assert (source.tls.ca, source.tls.cert, source.tls.key) == (
        Path("/certs/ca.pem"),
        Path("/certs/cert.pem"),
        Path("/certs/key.pem"),
    )


def test_docker_tls_without_a_path_uses_the_home_folder(written: Written) -> None:
    environ = {"DOCKER_HOST": "tcp://10.0.0.1:2376", "DOCKER_TLS_VERIFY": "1", "HOME": "/home/ann"}
    source = written.load(environ=environ).config.sources["docker"]
    assert isinstance(source, DockerSource)
    assert source.tls is not None
    assert source.tls.ca == Path("/home/ann/.docker/ca.pem")


def test_a_wrong_docker_host_is_said_by_its_name(written: Written) -> None:
    assert written.problems(environ={"DOCKER_HOST": "http://10.0.0.1:2375"}) == [
        'DOCKER_HOST: sources.docker.host: expected an engine\'s address like "unix:///var/run/docker.sock",'
        ' "tcp://10.0.0.5:2376" or "ssh://user@host"; did you mean "tcp://10.0.0.1:2375"?'
    ]
