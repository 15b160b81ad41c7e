"""An address that cannot be had is found before HAProxy tries, with who is in the way."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from longshore.haproxy.addresses import binds_of, busy
from tests.lab import ports

ME = os.getpid()


@contextmanager
def listening(host: str, port: int, *, share: bool = False, only6: bool = True) -> Iterator[None]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen()
        yield


@pytest.mark.parametrize(
    ("held", "wanted", "taken"),
    [
        ("127.0.0.1", ":{}", True),
        ("127.0.0.1", "*:{}", True),
        ("127.0.0.1", "ipv4@127.0.0.1:{}", True),
        ("127.0.0.1", "127.0.0.1:{}", True),
        ("127.0.0.1", "127.0.0.2:{}", False),
        ("0.0.0.0", "127.0.0.2:{}", True),
        ("0.0.0.0", "[::]:{} v6only", False),
        ("::1", "[::1]:{}", True),
        ("::1", "[::]:{}", True),
        ("::1", ":{}", False),
        ("127.0.0.1", "/run/x.sock", False),
        ("127.0.0.1", "quic4@127.0.0.1:{}", False),
        ("127.0.0.1", "a-name.test:{}", False),
    ],
)
def test_an_address_is_taken_if_its_listeners_would_meet(held: str, wanted: str, taken: bool) -> None:
    port = ports.free()
    with listening(held, port):
        found = busy([wanted.format(port)])
    assert [(b.pid, f"(pid {ME}) listens there already" in str(b)) for b in found] == ([(ME, True)] if taken else [])


def test_a_listener_of_both_families_is_found_from_either() -> None:
    port = ports.free()
    with listening("::", port, only6=False):
        assert [b.address for b in busy([f":{port}", f"[::]:{port}"])] == [f":{port}", f"[::]:{port}"]


def test_sharing_a_port_does_not_hide_the_other_program() -> None:
    """Two HAProxys would share the port without a word, and each get every other connection."""
    port = ports.free()
    with listening("127.0.0.1", port, share=True):
        assert [b.pid for b in busy([f"127.0.0.1:{port}"])] == [ME]


def test_our_own_listeners_are_no_strangers() -> None:
    port = ports.free()
    with listening("127.0.0.1", port):
        assert busy([f":{port}"], ours=[ME, 1]) == []


def test_an_address_of_another_machine_says_so() -> None:
    (found,) = busy(["192.0.2.1:80"])
    assert "192.0.2.1 is no address of this machine" in str(found)


def test_a_port_for_root_only_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unprivileged(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "socket", Unprivileged)
    (found,) = busy([":80"])
    assert "only root may listen on port 80" in str(found)
    assert "1024" in found.hint
    assert busy([":80"], low=True) == []


def test_a_port_that_haproxy_alone_may_have_is_busy_when_somebody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unprivileged(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    port = ports.free()
    with listening("127.0.0.1", port):
        monkeypatch.setattr(socket, "socket", Unprivileged)
        (found,) = busy([f":{port}"], low=True)
        assert found.pid == ME


def test_free_addresses_are_released_again() -> None:
    port = ports.free()
    for _ in range(2):
        assert busy([f"127.0.0.1:{port}"]) == []


def test_addresses_are_read_from_a_configuration() -> None:
    text = """
global
    stats socket /x.sock
frontend a
    bind :80
    bind "127.0.0.1:81,[::1]:82" ssl crt x  # bind :83
    bind [::]:84 v6only
    # bind :85
frontend b
    bind :80
"""
    assert binds_of(text) == (":80", "127.0.0.1:81", "[::1]:82", "[::]:84 v6only")
