"""A server's name carries its identity; its words are complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from longshore.core.capabilities import TYPICAL
from longshore.core.model import Check, Endpoint, Policy, Service
from longshore.core.server import Server, server_of

ENDPOINT = Endpoint("0123456789ab:80", "shop-web-1", "10.0.0.5", 80)
OLD, NEW = TYPICAL[2, 6], TYPICAL[3, 4]
SERVICE = Service("web")


def server(
    policy: Policy | None = None, endpoint: Endpoint = ENDPOINT, caps: object = NEW, mode: str = "http"
) -> Server:
    assert caps in (OLD, NEW)
    service = Service("web", mode, policy=policy or Policy())  # type: ignore[arg-type]
    return server_of(service, endpoint, OLD if caps is OLD else NEW)


def test_another_definition_is_another_server() -> None:
    """So a server is never changed while it lives, and a re-used address never takes over a place."""
    base = server()
    assert base.name.startswith("shop-web-1.")
    others = [
        server(endpoint=replace(ENDPOINT, id="ba9876543210:80")),
        server(endpoint=replace(ENDPOINT, address="10.0.0.6")),
        server(endpoint=replace(ENDPOINT, port=81)),
        server(endpoint=replace(ENDPOINT, backup=True)),
        server(Policy(max_connections=5)),
        server(Policy(check=Check(interval=3))),
        server(Policy(slow_start=3)),
        server(Policy(server_tls="insecure")),
        server(Policy(check=Check(kind="none"))),
    ]
    names = {base.name, *(other.name for other in others)}
    assert len(names) == 1 + len(others)


def test_weight_state_and_reason_change_without_a_new_server() -> None:
    changed = replace(ENDPOINT, weight=7, reason="other words", since=5.0)
    assert server(endpoint=changed).name == server().name
    assert server(endpoint=changed).definition.endswith(" weight 7")


def test_the_same_endpoint_has_the_same_name_after_a_restart_of_ours() -> None:
    """Names are written down in the configuration and in the state of HAProxy."""
    plain = server(mode="tcp")
    assert plain == Server(
        "shop-web-1.251c11ca", "10.0.0.5", 80, "check inter 10s fastinter 1s downinter 1s rise 1 fall 2", 100
    )


def test_ipv6_is_written_in_brackets() -> None:
    assert server(endpoint=replace(ENDPOINT, address="fd00::5")).definition.startswith("[fd00::5]:80 ")


@pytest.mark.parametrize("name", ["it's; a\nname", "", "../..", "x" * 500, "\u00fcber", "a b"])
def test_any_name_becomes_a_word(name: str) -> None:
    made = server(endpoint=replace(ENDPOINT, name=name)).name
    assert made.replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert made.isascii()
    assert len(made) < 80


@pytest.mark.parametrize("address", ["10.0.0.1 check", "a\nb", "", "x;y"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="may only hold"):
        server(endpoint=replace(ENDPOINT, address=address))


def test_connections_for_one_request_are_told_apart() -> None:
    """By name from 3.0; before, by an SNI that plain connections do not send."""
    assert "pool-conn-name var(txn.fresh)" in server(caps=NEW).options
    assert "sni var(txn.fresh) pool-max-conn -1" in server(caps=OLD).options
    tls = server(Policy(server_tls="insecure"), caps=OLD).options
    assert "sni req.hdr(host),host_only" in tls
    assert "txn.fresh" not in tls
    assert "txn.fresh" not in server(mode="tcp").options


def test_sticky_servers_carry_a_cookie_where_it_may_be_added_at_runtime() -> None:
    sticky = Policy(sticky="route")
    made = server(sticky)
    assert f" cookie {made.name.rpartition('.')[2]}" in made.options
    assert "cookie" not in server(sticky, caps=OLD).options


def test_no_word_needs_quotes() -> None:
    """The same words go through the runtime socket, which knows no quotes."""
    for tls in ("", "verify", "insecure"):
        policy = Policy(sticky="it", max_connections=3, slow_start=2.5, server_tls=tls)
        for caps in (OLD, NEW):
            assert not set(server(policy, caps=caps).definition) & set("'\"\\;#$\n")
