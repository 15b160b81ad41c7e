"""Services of several origins, as the file says them."""

from __future__ import annotations

import pytest

from longshore.config.services import FixedEndpoint, From
from tests.config.written import Written

ONE = "{image: local/app, port: 80}"


def test_from_is_one_or_a_list(written: Written) -> None:
    services = written.load(
        f"services: {{a: {{from: {ONE}}}, b: {{from: [{ONE}, {{label: [x, y!=1]}}]}}}}"
    ).config.services
    one = From(image="local/app", port=80)
    assert services["a"].origins == (one,)
    assert services["b"].origins == (one, From(label=("x", "y!=1")))
    assert [service.composed for service in services.values()] == [False, True]


@pytest.mark.parametrize("more", ["fallback: 10.0.0.9:80", "keep-last: true"])
def test_what_makes_one_item_more_than_what_it_finds(written: Written, more: str) -> None:
    assert written.load(f"services: {{a: {{from: {ONE}, {more}}}}}").config.services["a"].composed


def test_a_list_of_one_is_one(written: Written) -> None:
    assert not written.load(f"services: {{a: {{from: [{ONE}], from-first: true}}}}").config.services["a"].composed


def test_fallback_endpoints_are_written_like_others(written: Written) -> None:
    fallback = '["10.0.0.9:80", {address: vm1, port: 8, name: old-vm, weight: 3, backup: true}]'
    service = written.load(f"services: {{a: {{from: {ONE}, fallback: {fallback}}}}}").config.services["a"]
    assert service.fallback == (
        FixedEndpoint(address="10.0.0.9", port=80),
        FixedEndpoint(address="vm1", port=8, name="old-vm", weight=3, backup=True),
    )


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        ("{from: []}", "services.a.from: expected at least one"),
        ("{from: docker}", 'services.a.from: expected a mapping (`key: value`), got "docker"'),
        (f"{{from: [{ONE}, {{imag: x, port: 1}}]}}", "services.a.from[1]"),
        (f"{{from: [{ONE}, {{source: dokcer, image: x}}]}}", 'services.a.from[1].source: there is no source "dokcer"'),
        (f"{{from: [{ONE}, {{source: dns, image: x}}]}}", "services.a.from[1].image: has no meaning"),
        ("{from: {label: [a, =b]}}", 'services.a.from.label[1]: "=b" names no label'),
        ("{from: {image: a, nameserver: 10.0.0.1}}", "services.a.from.nameserver: has no meaning"),
        ("{from: {source: etcd, path: /a, nameserver: ns1}}", "services.a.from.nameserver: "),
        ('{endpoints: ["10.0.0.1:80"], keep-last: true}', "services.a: `keep-last` has a meaning only with `from`"),
        ('{endpoints: ["10.0.0.1:80"], fallback: "10.0.0.2:80"}', "`fallback` has a meaning only with `from`"),
        (f"{{from: {ONE}, fallback-always: true}}", "services.a: says `fallback-always`, but no `fallback`"),
        (
            f'{{from: {ONE}, fallback: ["10.0.0.1:80", "10.0.0.1:80"]}}',
            "services.a.fallback[1]: 10.0.0.1:80 is listed twice",
        ),
        (f"{{from: {ONE}, fallback: [x]}}", 'services.a.fallback[0]: expected "address:port"'),
        (
            f"{{from: [{ONE}, {{source: direct, name: web, port: 80}}]}}",
            "services.a.from: source direct lets HAProxy look names up",
        ),
    ],
)
def test_mistakes_name_the_item(written: Written, service: str, problem: str) -> None:
    sources = "{docker: {}, etcd: {}, dns: {}, direct: {type: dns, resolve: haproxy}}"
    said = written.problems(f"sources: {sources}\nservices: {{a: {service}}}")
    assert any(problem in each for each in said), said
