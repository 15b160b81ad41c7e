"""Where each value came from."""

from __future__ import annotations

from longshore.config.origins import Origin
from tests.config.written import Written

HASH = "$2y$05$abcdefghijklmnopqrstuuDk0p1cF6X5dZ8vJ3mB7nQ9sT2wY4zA6"


def test_every_value_names_its_line_its_variable_or_that_it_is_a_default(written: Written) -> None:
    text = """\
    haproxy: {threads: 2, hard-stop-after: 1m}
    services:
      db: {endpoints: ["10.0.0.5:1", {address: "fd00::5", port: 2}], check: none}
    """
    origins = written.load(text, {"LONGSHORE_HAPROXY_BINARY": "/opt/haproxy", "DOCKER_HOST": "tcp://h:1"}).origins
    file = written.path
    assert origins["haproxy.threads"] == Origin("file", f"{file}:1:20", "2")
    assert origins["haproxy.hard-stop-after"] == Origin("file", f"{file}:1:40", "60s")
    assert origins["haproxy.binary"] == Origin("environment", "LONGSHORE_HAPROXY_BINARY", "/opt/haproxy")
    assert origins["haproxy.mode"] == Origin("default", "default", "managed")
    assert origins["haproxy.access-log"] == Origin("default", "default", "false")
    assert origins["haproxy.stats"] == Origin("default", "default", "none")
    assert origins["sources.docker.host"] == Origin("environment", "DOCKER_HOST", "tcp://h:1")
    assert origins["frontends.http.bind"] == Origin("default", "default", ":80")
    assert origins["services.db.endpoints"] == Origin("file", f"{file}:3:19", "10.0.0.5:1, [fd00::5]:2")
    assert origins["services.db.check"] == Origin("file", f"{file}:3:73", "none")


def test_the_short_form_of_a_frontend_has_its_line(written: Written) -> None:
    origins = written.load('frontends: {http: ":80"}').origins
    assert origins["frontends.http.bind"] == Origin("file", f"{written.path}:1:19", ":80")
    assert origins["frontends.http.proxy-protocol"].kind == "default"


def test_password_hashes_are_left_out(written: Written) -> None:
    loaded = written.load(f"services: {{a: {{endpoints: [], auth: 'ann:{HASH}, bob:{HASH}'}}}}")
    assert loaded.origins["services.a.auth"].value == "ann:…, bob:…"
