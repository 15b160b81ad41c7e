"""From file and defaults to one checked configuration, or to everything that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config import Config, ConfigError, load
from longshore.config.schema import DockerSource, FileSource
from longshore.config.sources import SOURCES
from longshore.core.spec import service_parts
from tests.config.written import Written

DESIGN = """
    frontends:
      http: ":80"
      https: {bind: [":443", "[::]:443"], tls: {certificates: certs}, proxy-protocol: true}
    admin: {bind: "127.0.0.1:8405", token-file: /run/secrets/longshore}
    state-dir: state
    haproxy: {binary: haproxy, mode: managed, stats: "127.0.0.1:1936", max-connections: 4096, hard-stop-after: 10m}
    sources:
      docker: {host: "unix:///run/docker.sock", expose: all, group-by: "label:tier"}
      east: {type: docker, host: "ssh://ops@east"}
      file: {path: services.d}
    services:
      node: {from: {source: docker, image: local/nodeapp, port: 8000}, listen: ":8080", check: /, check-expect: Hello}
      db: {tcp: ":5432", endpoints: ["10.0.0.5:5432", {address: VM1.internal, port: 5432, weight: 50}]}
    forget-after: 1h
"""


def test_the_whole_file_is_understood(written: Written, tmp_path: Path) -> None:
    config = written.load(DESIGN).config
    assert config.frontends["http"].bind == (":80",)
    assert config.frontends["https"].bind == (":443", "[::]:443")
    assert config.frontends["https"].proxy_protocol
    assert config.admin.bind == "127.0.0.1:8405"
    assert config.haproxy.hard_stop_after == 600.0
    assert config.forget_after == 3600.0
    east = config.sources["east"]
    assert isinstance(east, DockerSource)
    assert east.host == "ssh://ops@east"
    node, db = config.services["node"], config.services["db"]
    assert [item.port for item in node.origins] == [8000]
    assert node.pairs == {"listen": ":8080", "check": "/", "check-expect": "Hello"}
    assert [endpoint.label for endpoint in db.endpoints] == ["10.0.0.5:5432", "vm1.internal:5432"]


def test_relative_paths_start_at_the_folder_of_the_file(written: Written, tmp_path: Path) -> None:
    config = written.load(DESIGN).config
    source = config.sources["file"]
    assert isinstance(source, FileSource)
    assert source.path == tmp_path / "services.d"
    assert config.state_dir == tmp_path / "state"
    assert config.frontends["https"].tls is not None
    assert config.frontends["https"].tls.certificates == tmp_path / "certs"
    assert config.admin.token_file == Path("/run/secrets/longshore")


def test_services_come_with_their_keys_read(written: Written) -> None:
    loaded = written.load(DESIGN)
    mode, routes, policy = service_parts(loaded.specs["node"])
    assert mode == "http"
    assert routes[0].listen == ":8080"
    assert (policy.check.kind, policy.check.expect) == ("http", "Hello")
    assert [fixed.name for fixed in loaded.fixed] == ["db"]
    assert loaded.fixed[0].places[1].line == 14


def test_without_a_file_the_defaults_run(written: Written) -> None:
    loaded = written.load()
    assert loaded.path is None
    assert loaded.config == Config()
    assert loaded.config.frontends["http"].bind == (":80",)
    assert loaded.config.sources == {"docker": DockerSource(host="unix:///var/run/docker.sock")}


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/longshore"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}, "/state/longshore"),
    ],
)
def test_without_a_file_and_not_root_nothing_needs_privileges(
    written: Written, environ: dict[str, str], state: str
) -> None:
    config = written.load(environ=environ, root=False).config
    assert config.frontends["http"].bind == (":8080",)
    assert config.state_dir == Path(state)


def test_the_file_is_the_one_asked_for_else_the_environments_else_the_default(tmp_path: Path) -> None:
    for name in ("asked", "environment", "default"):
        (tmp_path / name).write_text(f"state-dir: /{name}")
    environ, default = {"LONGSHORE_CONFIG": str(tmp_path / "environment")}, tmp_path / "default"
    assert load(tmp_path / "asked", environ, default_path=default).config.state_dir == Path("/asked")
    assert load(None, environ, default_path=default).config.state_dir == Path("/environment")
    assert load(None, {}, default_path=default).config.state_dir == Path("/default")


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    loaded = load(tmp_path / "x.yaml", {})
    assert [str(problem) for problem in loaded.problems] == [f"{tmp_path}/x.yaml: does not exist"]


def test_an_unusable_configuration_cannot_be_taken_for_the_defaults(written: Written) -> None:
    loaded = written.load("haproxy: {mode: mangaed}")
    with pytest.raises(ConfigError, match=r"haproxy\.mode") as caught:
        _ = loaded.config
    assert caught.value.problems == loaded.problems


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_a_mistake_not_the_defaults(written: Written, text: str) -> None:
    """A file that was cut off must not silently replace the services in force."""
    assert written.problems(text) == [
        "longshore.yaml: is empty; remove it to run with the defaults, or write for example `sources: {docker: {}}`"
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", "longshore.yaml:1:1: expected settings (`key: value`)"),
        ("a:1", "longshore.yaml:1:1: expected settings (`key: value`); is the space after the colon missing?"),
        ("haproxy: 5", "longshore.yaml:1:10: haproxy: expected a mapping (`key: value`), got the number 5"),
        ("sources: [docker]", "longshore.yaml:1:10: sources: expected a mapping (`key: value`), got a list"),
        ("services: {a: }", "longshore.yaml:1:14: services.a: expected a mapping (`key: value`), got nothing"),
    ],
)
def test_another_shape_than_expected_is_said(written: Written, text: str, sentence: str) -> None:
    assert written.problems(text) == [sentence]


def test_sections_without_content_count_as_not_said(written: Written) -> None:
    assert written.load("frontends:\nhaproxy:\nsources: {docker: }\nservices:\n").config == Config()


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file(written: Written) -> None:
    problems = written.problems(
        """\
        frontends:
          http: 80000
          tcp-a: ":81"
          local: "localhost:82"
          none: []
        haproxy: {binray: x, mode: manged, max-connections: "5", hard-stop-after: soon, access-log: perhaps}
        state_dir: /x
        sources:
          east: {type: dockr}
          west: {}
          file: {}
          docker: {hst: 1, host: /var/run/docker.sock, group-by: labels, tls: {cert: x}}
        services:
          no de: {from: {port: 8000}}
          db:
            wieght: 5
            hold: 10x
            port: 5
            endpoints: ["10.0.0.5", {address: "vm 1", port: 0}]
          q: {}
          q: {}
          r: {from: {image: x}, endpoints: []}
        """
    )
    assert [problem.split(";")[0] for problem in problems] == [
        'longshore.yaml:2:9: frontends.http.bind: "80000" has no port from 1 to 65535',
        "longshore.yaml:3:3: frontends.tcp-a: a frontend's name cannot start with listen-, tcp- or stats",
        'longshore.yaml:4:10: frontends.local.bind: "localhost:82" is a name, expected an IP address',
        "longshore.yaml:5:9: frontends.none.bind: expected at least one",
        'longshore.yaml:6:11: haproxy.binray: unknown key',
        'longshore.yaml:6:28: haproxy.mode: expected "managed" or "attached", got "manged"',
        'longshore.yaml:6:53: haproxy.max-connections: expected a whole number, got "5"',
        'longshore.yaml:6:75: haproxy.hard-stop-after: "soon" is not a duration',
        'longshore.yaml:6:93: haproxy.access-log: expected true or false, got "perhaps"',
        "longshore.yaml:7:1: state_dir: unknown key",
        'longshore.yaml:9:9: sources.east: unknown source type "dockr"',
        "longshore.yaml:10:9: sources.west: says no type",
        "longshore.yaml:11:3: sources.file.path: is missing",
        "longshore.yaml:12:12: sources.docker.hst: unknown key",
        "longshore.yaml:12:26: sources.docker.host: expected an engine's address like"
        ' "unix:///var/run/docker.sock", "tcp://10.0.0.5:2376" or "ssh://user@host"',
        'longshore.yaml:12:58: sources.docker.group-by: expected "compose", "image", "label:KEY" or "env:KEY"',
        "longshore.yaml:12:71: sources.docker.tls: has only one of cert and key",
        'longshore.yaml:14:3: services.no de: "no de" is not a name',
        "longshore.yaml:14:17: services.no de.from: expected at least one of image, label, service, path, "
        "tag, name, app: which are meant?",
        "longshore.yaml:16:5: services.db.wieght: unknown key",
        'longshore.yaml:17:11: services.db.hold: "10x" is not a duration',
        "longshore.yaml:18:5: services.db.port: has no meaning here",
        'longshore.yaml:19:17: services.db.endpoints[0]: expected "address:port", like "10.0.0.5:5432",'
        ' "vm1.internal:80" or "[fd00::5]:80", got "10.0.0.5"',
        'longshore.yaml:19:39: services.db.endpoints[1].address: "vm 1" is neither an IP address nor a host name',
        "longshore.yaml:19:53: services.db.endpoints[1].port: expected at least 1, got the number 0",
        "longshore.yaml:20:6: services.q: says neither `from` (which containers?) nor `endpoints` (which addresses?)",
        "longshore.yaml:21:3: services.q: is said twice, first in line 20, column 3",
        "longshore.yaml:22:6: services.r: has both `from` and `endpoints`",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("frontend: {}", "frontends"),
        ("state_dir: /x", "state-dir"),
        ("haproxy: {binray: x}", "binary"),
        ("frontends: {http: {bnid: ':80'}}", "bind"),
        ("sources: {docker: {groupby: image}}", "group-by"),
        ("sources: {east: {type: docker, tsl: {}}}", "tls"),
        ("services: {a: {endpoints: [], check-pth: /}}", "check"),
        ("services: {a: {from: {imgae: x}}}", "image"),
        ("services: {a: {endpoints: [{adress: x, port: 1}]}}", "address"),
    ],
)
def test_an_unknown_key_is_a_mistake_with_a_suggestion(written: Written, text: str, meant: str) -> None:
    assert any(f'unknown key; did you mean "{meant}' in problem for problem in written.problems(text))


def test_sources_of_types_that_do_not_exist_name_those_that_do(written: Written) -> None:
    assert written.problems("sources: {east: {type: dockr}}") == [
        'longshore.yaml:1:17: sources.east: unknown source type "dockr"; known are: '
        + ", ".join(SOURCES)
        + '; did you mean "docker"?'
    ]
    assert written.problems("sources: {zookeper: {hosts: []}}")[0].endswith('; did you mean "zookeeper"?')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('frontends: {a: ":80", b: "127.0.0.1:80"}', "longshore.yaml:1:26: frontends.b.bind[0]: 127.0.0.1:80 is"
         " taken already by frontends.a.bind[0] (longshore.yaml:1:16); each address can listen for one thing"),
        ('frontends: {a: ":8404"}', "longshore.yaml:1:16: frontends.a.bind[0]: :8404 is taken already by admin.bind"
         " (its default); each address can listen for one thing"),
        ("services: {a: {from: {source: est, image: x}}}", "longshore.yaml:1:31: services.a.from.source: there is no"
         ' source "est"; known are: docker'),
        ("haproxy: {mode: attached, socket: /s}", "longshore.yaml:1:10: haproxy: mode attached also needs"
         " master-socket, config-file; they say where HAProxy is"),
        ("sources: {config: {type: docker}}", 'longshore.yaml:1:11: sources.config: a source cannot be named "config";'
         " the services of this file go by that name"),
        ("sources: {a b: {type: docker}}", 'longshore.yaml:1:11: sources.a b: "a b" is not a name; use letters, digits,'
         ' "_", "." and "-", at most 100, starting with no sign'),
        ("haproxy: {socket: /s}", "longshore.yaml:1:10: haproxy: socket: only for mode attached; otherwise longshore"
         " makes its own"),
        ('services: {a: {tcp: ":1", host: a.test, endpoints: []}}', "longshore.yaml:1:33: services.a.host: has no"
         " meaning for a TCP service; remove host, or remove tcp"),
        ('services: {a: {endpoints: ["a:1", "b:1", "A:1"]}}', "longshore.yaml:1:42: services.a.endpoints[2]: a:1 is"
         " listed twice, first in line 1; remove one; `weight` gives it a larger share"),
        ("services: {a: {endpoints: [], service: b}}", "longshore.yaml:1:31: services.a.service: has no meaning here;"
         " the service is named by the key above it"),
        ("services: {a: {endpoints: [], tcp: }}", "longshore.yaml:1:35: services.a.tcp: has no value"),
    ],
)  # fmt: skip
def test_contradictions_are_said_where_they_are(written: Written, text: str, sentence: str) -> None:
    assert written.problems(text) == [sentence]


@pytest.mark.parametrize(
    "text",
    [
        'frontends: {a: "127.0.0.1:80", b: "127.0.0.2:80", c: "[::]:80"}',
        'frontends: {a: ":8404"}\nadmin: {bind: off}',
        "haproxy: {mode: attached, socket: /s, master-socket: /m, config-file: /c}",
        "frontends: {}",
    ],
)
def test_what_only_looks_like_a_contradiction_is_fine(written: Written, text: str) -> None:
    assert written.problems(text) == []


def test_password_hashes_and_passwords_are_never_repeated(written: Written) -> None:
    problems = written.problems('services: {a: {endpoints: [], auth: ["ann:hunter2"]}}')
    assert problems
    assert "hunter2" not in "".join(problems)
