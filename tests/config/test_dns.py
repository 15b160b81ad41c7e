"""The source dns in the configuration: what it takes, and what `from` must say to pick a name."""

from __future__ import annotations

import pytest

from longshore.agent.connect import changed_sources
from longshore.agent.connect_dns import names_of
from longshore.config.dns import DnsSource
from longshore.core.named import Pick
from tests.config.written import Written

SERVICE = "services: {web: {from: {source: dns, name: tasks.web, port: 8000}}}"


def test_everything_has_a_default(written: Written) -> None:
    loaded = written.load(f"sources: {{dns: {{}}}}\n{SERVICE}\n")
    assert loaded.config.sources["dns"] == DnsSource()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.11", "127.0.0.11:53"),
        ("127.0.0.11:5353", "127.0.0.11:5353"),
        ("fd00::1", "[fd00::1]:53"),
        ("'[fd00::1]'", "[fd00::1]:53"),
        ("'[fd00::1]:5353'", "[fd00::1]:5353"),
    ],
)
def test_nameservers_have_one_spelling(written: Written, text: str, address: str) -> None:
    loaded = written.load(f"sources: {{dns: {{nameservers: {text if text[0] != 'f' else repr(text)}}}}}\n{SERVICE}\n")
    source = loaded.config.sources["dns"]
    assert isinstance(source, DnsSource)
    assert source.nameservers == (address,)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{nameservers: dns.test}", 'sources.dns.nameservers: "dns.test" is not'),
        ("{nameservers: dns.test:53}", 'sources.dns.nameservers: "dns.test:53" is not the IP address of a nameserver'),
        ("{refresh: 100ms}", "sources.dns.refresh: 0.1 s between two questions is too short; the least is 1s"),
        ("{slots: 0}", "sources.dns.slots:"),
        ("{family: ipx}", "sources.dns.family:"),
        ("{resolve: haproxy, family: both}", "sources.dns: `family: both` is not possible with `resolve: haproxy`"),
    ],
)
def test_what_is_wrong_is_said(written: Written, source: str, problem: str) -> None:
    (said,) = written.problems(f"sources: {{dns: {source}}}\n{SERVICE}")
    assert problem in said


@pytest.mark.parametrize(
    ("picked", "problem"),
    [
        ("{source: dns, port: 80}", "expected at least one of image, label, service, path, tag, name"),
        ("{source: dns, name: tasks.web}", "says no port, and addresses have none; add `port`, or `type: srv`"),
        ("{source: dns, name: _web._tcp.a, type: srv, port: 80}", "from.port: SRV records say the port themselves"),
        ("{source: dns, name: 10.0.0.1, port: 80}", 'from.name: "10.0.0.1" is an address, not a name'),
        ("{source: dns, name: a b, port: 80}", 'from.name: "a b" is neither an IP address nor a host name'),
        ("{source: dns, name: a, port: 80, image: x}", "from.image: has no meaning for a source of type dns"),
        ("{source: dns, service: a, port: 80}", "from.service: has no meaning for a source of type dns"),
        ("{source: docker, name: a, port: 80}", "from.name: has no meaning for a source of type docker"),
        ("{source: etcd, service: a, type: srv}", "from.type: has no meaning for a source of type etcd"),
    ],
)
def test_what_is_wrong_with_a_pick_is_said(written: Written, picked: str, problem: str) -> None:
    said = written.problems(f"sources: {{docker: {{}}, dns: {{}}, etcd: {{}}}}\nservices: {{web: {{from: {picked}}}}}")
    assert any(problem in each for each in said), said


def test_names_become_picks_and_a_new_name_starts_the_source_again(written: Written) -> None:
    text = "sources: {dns: {}}\nservices:\n  web: {from: {source: dns, name: NAME., type: srv}}\n"
    before, after = written.load(text.replace("NAME", "_Web._tcp.a")), written.load(text.replace("NAME", "b"))
    assert names_of(before, "dns") == (Pick("web", before.specs["web"], "_web._tcp.a", "srv"),)
    assert changed_sources(before, after) == {"dns"}
    assert changed_sources(before, before) == set()
