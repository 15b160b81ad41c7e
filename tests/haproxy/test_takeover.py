"""Of several listeners on one port the last ones get every new connection, and who is left alone gets them all."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest

from longshore.haproxy.takeover import choose, still_there
from tests.lab import ports

ASKED = 60


def listening(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    sock.listen(2 * ASKED)
    sock.setblocking(False)
    return sock


def taken(sock: socket.socket) -> int:
    """Accept all that waits, and count it."""
    count = 0
    while True:
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def ask(host: str, port: int) -> None:
    for _ in range(ASKED):
        socket.create_connection((host, port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_last_ones_get_every_new_connection(host: str, count: int) -> None:
    port = ports.free()
    with ExitStack() as stack:
        old = stack.enter_context(listening(host, port))
        ours = [stack.enter_context(listening(host, port)) for _ in range(count)]
        elsewhere = stack.enter_context(listening(host, ports.free()))
        (shared,) = choose([*ours, elsewhere])
        assert shared.steered
        assert str(shared).endswith(f":{port}")
        assert shared.others == still_there(shared.others) == {str(os.fstat(old.fileno()).st_ino)}
        ask(host, port)
        assert taken(old) == 0
        assert sum(map(taken, ours)) == ASKED
        old.close()
        assert still_there(shared.others) == set()
        ask(host, port)
        assert sum(map(taken, ours)) == ASKED


def test_the_one_after_next_takes_over_too() -> None:
    """What a former take-over left behind stands in nobody's way."""
    port = ports.free()
    first, second = listening("127.0.0.1", port), listening("127.0.0.1", port)
    with second:
        with first:
            choose([second])
        with listening("127.0.0.1", port) as third:
            assert choose([third])[0].steered
            ask("127.0.0.1", port)
            assert (taken(second), taken(third)) == (0, ASKED)


def test_a_port_of_ones_own_is_shared_with_nobody() -> None:
    with listening("127.0.0.1", ports.free()) as only:
        assert choose([only]) == ()
