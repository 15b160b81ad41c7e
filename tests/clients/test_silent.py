"""Connections to somebody who is silent, told apart by a real kernel from those to somebody who is slow."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from longshore.clients.silent import Connection, cut, silent
from tests.lab.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("own_network")]


@pytest.fixture(params=["127.0.0.1", "::1"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(address: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's and the server's end of a connection."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server((address, 0), family=_family(address)))
        client = stack.enter_context(socket.create_connection(listening.getsockname()[:2]))
        server, _ = listening.accept()
        yield client, stack.enter_context(server)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@pytest.fixture
def dropped(address: str, pair: tuple[socket.socket, socket.socket]) -> Iterator[int]:
    """Let nothing more come to the server, as if its machine had lost its power; gives its port."""
    port = pair[1].getsockname()[1]
    program = "ip6tables" if ":" in address else "iptables"
    rule = ["INPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP"]
    subprocess.run([program, "-w", "-I", *rule], check=True)
    yield port
    subprocess.run([program, "-w", "-D", *rule], check=True)


def to(port: int, repeats: int) -> list[Connection]:
    return [each for each in silent(repeats) if each.port == port]


def test_who_is_silent_is_found_and_cut(pair: tuple[socket.socket, socket.socket], dropped: int, address: str) -> None:
    client, _ = pair
    assert to(dropped, 1) == []
    client.sendall(b"anybody there?")
    (found,) = until(lambda: to(dropped, 2), what="it was sent again twice")
    assert (found.address, found.port) == (address, dropped)
    assert Path(f"/proc/self/fd/{client.fileno()}").readlink() == Path(f"socket:[{found.inode}]")
    cut(found)
    client.settimeout(10)
    with pytest.raises(ConnectionAbortedError):
        client.recv(1)
    cut(found)  # once more is no harm


def test_who_is_slow_is_none_of_them(pair: tuple[socket.socket, socket.socket]) -> None:
    """The server reads nothing, until nothing more fits in; its kernel acknowledges that it is there."""
    client, server = pair
    client.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            client.send(bytes(1 << 20))
    port = server.getsockname()[1]
    probed = ["ss", "-Htno", "dport", "=", f":{port}"]

    def asked_often() -> bool:
        return "persist" in subprocess.run(probed, capture_output=True, text=True, check=True).stdout

    until(asked_often, what="the kernel asks whether there is room again")
    assert to(port, 1) == []
