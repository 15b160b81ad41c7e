"""Lines of the operator's own in the configuration: read with their places, and kept where they were put."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config.document import parse
from longshore.config.entries import services_file
from longshore.core.raw import Line, Raw, RawProcess, RawSaid
from longshore.core.spec import check
from tests.config.written import Written

WHOLE = """
    haproxy:
      raw:
        global: tune.bufsize 32768
        defaults:
          - timeout server 50s
        sections:
          listen stats: ["bind :1936", "stats enable"]
          peers mine:
    services:
      nodesrv:
        endpoints: ["10.0.0.1:80"]
        listen: "127.0.0.1:8080"
        raw:
          frontend: ["acl a path /a"]
          backend: ["option\\thttpchk"]
          bind: maxconn 5
          server: check weight 5
          cookie: hash
          name: node
      behind: {endpoints: ["10.0.0.1:80"], raw: }
      routed: {endpoints: ["10.0.0.1:80"], host: a.test, raw: {}}
"""


def test_lines_come_with_their_places(written: Written) -> None:
    loaded = written.load(WHOLE)
    said, file = loaded.raw, str(written.path)
    assert [line.text for line in said.process.globals] == ["tune.bufsize 32768"]
    assert said.process.defaults[0].place == f"{file}:6:9"
    assert [section.title.text for section in said.process.sections] == ["listen stats", "peers mine"]
    assert said.process.sections[0].lines[1] == Line("stats enable")
    assert said.process.sections[0].title.place == f"{file}:8:7"
    node = said.services["nodesrv"]
    assert node == Raw(
        "node",
        (Line("acl a path /a"),),
        (Line("option httpchk"),),
        Line("maxconn 5"),
        Line("check weight 5"),
        "hash",
    )
    assert node.server.place == f"{file}:18:15"


def test_even_an_empty_one_declares_a_backend_and_only_what_is_said_leads_there(written: Written) -> None:
    services = written.load(WHOLE).raw.services
    assert services["behind"] == Raw("behind", routed=False)
    assert services["routed"] == Raw("routed")


def test_without_any_there_is_nothing(written: Written) -> None:
    assert not written.load("services: {a: {endpoints: ['10.0.0.1:80']}}").raw
    assert not RawSaid(RawProcess())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('haproxy: {raw: {global: ["a\\nb"]}}', "holds a line end"),
        ('haproxy: {raw: {global: ["backend x"]}}', '"backend" begins a section; write whole sections into'),
        ('haproxy: {raw: {global: [".if 1"]}}', "is a condition of the whole file"),
        ('haproxy: {raw: {global: ["quiet"]}}', '"quiet" is not said here; longshore starts HAProxy'),
        ('haproxy: {raw: {global: ["daemon"]}}', '"daemon" is not said here; longshore starts HAProxy'),
        ('haproxy: {raw: {defaults: ["mode tcp"]}}', '"mode tcp" is not said here; say `listen` (HTTP) or `tcp`'),
        ('haproxy: {raw: {sections: {"stats": []}}}', "begins no section of HAProxy"),
        ('haproxy: {raw: {sections: {"global": []}}}', "the section global is longshore's"),
        ('haproxy: {raw: {sections: {"listen http": []}}}', "the name http is that of another frontend or backend"),
        ('haproxy: {raw: {sections: {"listen x": ["bind :80"]}}}', ":80 is taken already by frontend http"),
        ('services: {a: {endpoints: ["x:1"], raw: {backend: ["mode http"]}}}', "is not said here"),
        ('services: {a: {endpoints: ["x:1"], raw: {server: "%{x}"}}}', "%{x} is not known"),
        ('services: {a: {endpoints: ["x:1"], raw: {server: "check disabled"}}}', "longshore drain"),
        ('services: {a: {endpoints: ["x:1"], raw: {name: "slot:x"}}}', "looks like a name that longshore gives"),
        ('services: {p-a: {endpoints: ["x:1"], raw: {}}}', "a backend cannot be named p-a"),
        ('services: {http: {endpoints: ["x:1"], raw: {}}}', "the name http is that of another frontend or backend"),
        ('services: {a: {endpoints: ["x:1"], raw: {frontend: ["acl a b"]}}}', "has no frontend of its own"),
        ('services: {a: {endpoints: ["x:1"], raw: {bind: "ssl"}}}', "has no frontend of its own"),
        (
            'services: {a: {endpoints: ["x:1"], listen: ":81", host: a.test, raw: {}}}',
            "has no meaning beside `listen` and `raw`",
        ),
        (
            'services: {a: {endpoints: ["x:1"], listen: ":81", raw: {}}, b: {endpoints: ["x:1"], listen: "*:81"}}',
            ":81 is the address of service a, and one of them has it for itself",
        ),
        (
            'services: {a: {endpoints: ["x:1"], raw: {name: c}}, b: {endpoints: ["x:1"], raw: {name: c}}}',
            "the name c is that of another frontend or backend",
        ),
        ('services: {a: {endpoints: ["x:1"], listen: "unix@run/x"}}', "is not the path of a socket"),
        ('services: {a: {endpoints: ["x:1"], listen: "unix@/x y"}}', "is not the path of a socket"),
    ],
)
def test_what_cannot_be_is_said_at_its_place(written: Written, text: str, problem: str) -> None:
    (found,) = written.problems(text)
    assert problem in found
    assert found.startswith("longshore.yaml:1:")


def test_lines_of_ones_own_stand_in_longshore_yaml_only(tmp_path: Path) -> None:
    """Whoever may write into the folder of the file source need not be who writes the configuration."""
    document = parse(b"services:\n  a: {endpoints: ['10.0.0.1:80'], raw: {}}\n  b: {endpoints: ['10.0.0.1:80']}\n", "f")
    found = services_file(document)
    assert found.services["a"] is None
    assert found.services["b"] is not None
    assert [str(problem.place) for problem in found.problems] == ["f:2:35"]


def test_sockets_are_the_operators_alone() -> None:
    """A label could have one made anywhere."""
    assert check({"listen": "unix@/run/x.sock"})[0] is None
    spec, _ = check({"listen": "unix@/run/x.sock"}, operator=True)
    assert spec
    assert spec.listen == ("unix@/run/x.sock",)


def test_the_method_of_a_check_fits_what_is_expected() -> None:
    spec, _ = check({"check": "/", "check-method": "options"})
    assert spec
    assert spec.check_method == "OPTIONS"
    assert [fault.key for fault in check({"check": "/", "check-method": "HEAD", "check-expect": "x"})[1]] == [
        "check-expect"
    ]
    assert [fault.key for fault in check({"check-method": "GET"})[1]] == ["check-method"]
    assert [fault.key for fault in check({"check": "/", "check-method": "POST"})[1]] == ["check-method"]
