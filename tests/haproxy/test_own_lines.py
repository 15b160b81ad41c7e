"""Every version of HAProxy takes the operator's own lines where they are put, and what it refuses is found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from longshore.cli.own_lines import judged
from longshore.cli.rendered import rendered
from longshore.config import Loaded, load
from longshore.core.merge import Merger
from longshore.core.model import Endpoint, Service, Snapshot
from longshore.core.raw import RawSaid
from longshore.core.render import Paths
from longshore.core.spec import service_parts
from tests.haproxy.rendered import capabilities
from tests.lab.haproxy import every_version, haproxy

pytestmark = pytest.mark.system

GOOD = """\
frontends: {http: ":8081"}
sources: {}
haproxy:
  raw:
    global: ["tune.bufsize 32768", "maxconn 500", "stats timeout 5m"]
    defaults: ["timeout server 50s", "timeout client 33s", "timeout connect 5s", "default-server fall 7"]
    sections:
      listen old: ["mode http", "bind 127.0.0.1:1936", "stats enable", "stats uri /"]
      backend spare: ["mode http", "server one 10.0.0.9:80"]
services:
  nodesrv:
    endpoints: [{address: 10.0.0.1, port: 80, name: one}, "10.0.0.2:80"]
    listen: "127.0.0.1:8085"
    raw:
      frontend: ["acl x path_beg /x", "use_backend other if x", "use_backend spare if { path /s }"]
      backend:
        - option httpchk /
        - http-check expect string Hello
        - cookie SRV insert indirect nocache
        - balance source
      server: "check inter 2s rise 3 fall 2 weight 5"
      bind: "maxconn 100"
      cookie: name
  other: {endpoints: ["10.0.0.3:80"], host: other.test, sticky: C, raw: {server: "check ssl verify none", cookie: hash}}
  socket: {endpoints: ["10.0.0.3:80"], listen: "unix@/tmp/longshore-own-lines.sock", raw: {}}
  plain: {endpoints: ["10.0.0.3:80"], listen: "unix@/tmp/longshore-plain.sock", check: /, check-method: HEAD}
  db: {endpoints: ["10.0.0.3:80"], tcp: ":5555", raw: {backend: ["option tcp-check"], server: "check port %{port}"}}
"""


def loaded(folder: Path, text: str, series: str) -> Loaded:
    path = folder / "longshore.yaml"
    path.write_text(text)
    found = load(path, {"LONGSHORE_HAPROXY_BINARY": str(haproxy(series))}, root=True)
    assert found.valid, found.problems
    return found


def services(found: Loaded) -> tuple[Service, ...]:
    made = tuple(
        Service(
            each.name,
            *service_parts(each.spec, each.name),
            tuple(Endpoint(e.label, e.name or e.label, e.address, e.port) for e in each.endpoints),
        )
        for each in found.fixed
    )
    return Merger(raw=found.raw.services).merge([Snapshot("config", made)]).services


@every_version
def test_lines_are_accepted_without_a_warning(tmp_path: Path, series: str) -> None:
    found = loaded(tmp_path, GOOD, series)
    paths = Paths(str(tmp_path))
    rendered(found, paths, capabilities(series), services(found), []).write(paths)
    checked = subprocess.run([haproxy(series), "-c", "-f", paths.config], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@every_version
def test_what_is_refused_is_found_line_by_line(tmp_path: Path, series: str) -> None:
    """HAProxy does not say everything at once; each line is told at its place all the same."""
    text = """\
sources: {}
haproxy:
  raw:
    global:
      - tune.bufsze 32768
    defaults:
      - timeout sever 1s
    sections:
      listen x:
        - mode http
        - default_backend nobody
services:
  one:
    endpoints: ["10.0.0.1:80"]
    listen: ":8085"
    raw:
      frontend:
        - use_backend nowhere
  two:
    endpoints: ["10.0.0.1:80"]
    raw:
      server: chek
  three:
    endpoints: ["10.0.0.1:80"]
    raw:
      backend:
        - optoin httpchk
"""
    found = loaded(tmp_path, text, series)
    problems, notes = judged(found, services(found))
    assert notes == []
    places = {(int(problem.where.split(":")[1]), problem.service) for problem in problems}
    assert places == {(5, ""), (7, ""), (11, ""), (18, "one"), (22, "two"), (27, "three")}


def test_nothing_is_asked_without_lines_of_ones_own(tmp_path: Path) -> None:
    found = loaded(tmp_path, "services: {a: {endpoints: ['10.0.0.1:80']}}", "3.4")
    assert found.raw == RawSaid()
    assert judged(found, ()) == ([], [])
