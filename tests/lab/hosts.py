"""Hosts: the machines of `nodes` with registrars and balancers on them, to be switched off, cut off and frozen.

    with Hosts(3, engines=2) as hosts, Etcd().at(hosts.address) as etcd:
        one, two, client = hosts
        with one.registrar(sources=…) as registrar, client.balancer(config=…) as balancer:
            ...
            one.power_off()

The first `engines` hosts have an engine, the others none. This process is one more machine on the same switch, at
`hosts.address`: registries run there.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from tests.lab.balancer import Balancer
from tests.lab.nodes import Machines, Node, child_of
from tests.lab.registrar import Registrar
from tests.lab.remains import descendants, is_gone
from tests.lab.waiting import until


class Inside(subprocess.Popen[bytes]):
    """A process on a host. Signals reach it, and not the `nsenter` that brought it there and ends with it."""

    inner = 0
    """Its process id, as this machine sees it."""

    def entered(self) -> Inside:
        """Wait until it is there."""
        self.inner = until(lambda: child_of(self) or (self.poll() is not None and -1), what=f"{self.args!r} begins")
        return self

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""
        if self.poll() is None and self.inner > 0:
            os.kill(self.inner, sig)


class Host(Node):
    """One host; `engine`: it has a Docker engine."""

    def __init__(self, number: int, folder: Path, switch: int, net: str, *, engine: bool) -> None:
        super().__init__(number, folder, switch, net)
        self._has_engine = engine
        self._processes = list[Inside]()

    def begin(self) -> None:
        """Switch it on and start its engine, unless they are on, or it has none."""
        if self._has_engine and self._dockerd is None:
            super().begin()
        elif self._machine is None:
            self._power_on()

    def finish(self) -> None:
        """Wait for its engine, if it has one."""
        if self._has_engine:
            super().finish()

    def popen(self, command: Sequence[str | Path], **options: Any) -> Inside:
        """Start a process on the host. It dies with the host, and with the process of this machine that started it."""
        process = Inside(["setpriv", "--pdeathsig", "KILL", *self._inside(), *command], **options)
        self._processes = [each for each in self._processes if each.poll() is None]
        self._processes.append(process)
        return process.entered()

    def registrar(self, **options: Any) -> HostRegistrar:
        """Return a registrar for this host (arguments of `Registrar`), not started yet."""
        return HostRegistrar(self, **options)

    def balancer(self, **options: Any) -> HostBalancer:
        """Return a balancer for this host (arguments of `Balancer`), not started yet."""
        return HostBalancer(self, **options)

    def power_off(self) -> None:
        """Cut the power: nobody hears from it any more, not even that its connections are closed; its disk stays."""
        if self._machine is not None:
            self.cut()
            _signal(self._outside(), signal.SIGKILL)  # who may be stopped with what they wait for
        super().power_off()
        for process in self._processes:
            process.wait(30)
        self._processes.clear()

    def reboot(self) -> None:
        """Cut the power and switch it on again; containers come back by their restart policy."""
        self.power_off()
        self.start()

    def pause(self) -> None:
        """Freeze everything on it, as a hypervisor does; its connections stay open and silent."""
        frozen = set[int]()
        while fresh := self._everything() - frozen:
            _signal(fresh, signal.SIGSTOP)
            frozen |= fresh

    def resume(self) -> None:
        """Let everything go on."""
        _signal(self._everything() | self._outside(), signal.SIGCONT)

    def _outside(self) -> set[int]:
        """Return every `nsenter` that waits for a process on the host; it stops and goes on when that does."""
        return {each.pid for each in (*self._processes, self._dockerd) if each and each.poll() is None}

    def _everything(self) -> set[int]:
        roots = [self._init, *(process.inner for process in self._processes if process.poll() is None)]
        if engine := child_of(self._dockerd):
            roots.append(engine)
        return {pid for pid in descendants(roots) if not is_gone(pid)}


class _OnHost(Balancer):
    """What a process of longshore is like on a host."""

    host: Host

    def _spawn(self, command: Sequence[str | Path], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return self.host.popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env)

    @property
    def pid(self) -> int:
        """The process id of longshore, as this machine sees it."""
        assert isinstance(self._process, Inside), "longshore was not started"
        return self._process.inner


class HostBalancer(_OnHost):
    """A `longshore up` on a host, without an engine of its own unless `engine` says so."""

    def __init__(self, host: Host, **options: Any) -> None:
        super().__init__(**options)
        self.host, self.address = host, host.address


class HostRegistrar(_OnHost, Registrar):
    """A `longshore register` on a host, for its engine. It finds out the host's address by itself."""

    def __init__(self, host: Host, **options: Any) -> None:
        super().__init__(**({"engine": host} | options))
        self.host = host
        if "address" not in options.get("register", {}):
            del self.settings["register"]["address"]
            self.configure({})


class Hosts(Machines):
    """`count` hosts on one switch, of which the first `engines` have a Docker engine (all, unless said)."""

    nodes: list[Host]  # type: ignore[assignment]

    def __init__(self, count: int, *, engines: int | None = None) -> None:
        super().__init__(count)
        self._engines = count if engines is None else engines

    def __iter__(self) -> Iterator[Host]:
        return iter(self.nodes)

    def __getitem__(self, index: int) -> Host:
        return self.nodes[index]

    def _node(self, number: int, switch: int) -> Host:
        return Host(number, self.folder, switch, self.net, engine=number <= self._engines)

    def reset(self) -> None:
        """Have every host on, connected and without containers."""
        for host in self.nodes:
            host.begin()
        for host in self.nodes:
            host.finish()
            host.heal()
        for host in self.nodes[: self._engines]:
            for container in host.containers():
                container.rm()


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # ended meanwhile
