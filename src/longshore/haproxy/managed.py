"""A HAProxy of our own: `haproxy -W`, started in its own session, watched, reloaded, adopted after our death, stopped.

It inherits our stdout, so that its access log is part of our output; its stderr goes to a file. Neither ties it to our
life. After a crash of ours the next longshore finds it by pid file and master socket and takes it over as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

from longshore.clients.haproxy import RuntimeClient
from longshore.clients.haproxy_faults import HAProxyError, UnreachableError
from longshore.clients.haproxy_master import MasterClient, Processes
from longshore.core.paths import Paths
from longshore.haproxy import identity, reloading
from longshore.haproxy.addresses import binds_of, busy
from longshore.haproxy.config_file import ConfigFile
from longshore.haproxy.contract import Reloaded
from longshore.haproxy.faults import AddressError, BinaryError, ConfigError, StartError
from longshore.haproxy.identity import Identity
from longshore.haproxy.output import Output, alerts, stdout
from longshore.haproxy.privileges import may_take_low_ports
from longshore.haproxy.reloading import whole
from longshore.haproxy.validate import check

START = 60.0  # seconds until a new HAProxy must answer
ADOPT = 10.0  # seconds until a running one must
VANISH = 2.0  # seconds that an ending program has to let go of an address
TERM = 5.0  # seconds from SIGTERM to SIGKILL


class Managed:
    """The HAProxy that runs with the files under `paths`. `access_log`: its stdout is ours, else its log file.

    `share_ports`: it may listen where another HAProxy does that lets it.
    """

    managed = True

    def __init__(self, paths: Paths, *, binary: str, access_log: bool = True, share_ports: bool = False) -> None:
        self.paths = paths
        self.binary = binary
        self._access_log, self._share = access_log, share_ports
        self._config = ConfigFile(paths.config)
        self._output = Output(f"{paths.folder}/haproxy.log")
        self._master = MasterClient(paths.master)
        self._runtime = RuntimeClient(paths.socket)
        self._lock = asyncio.Lock()
        self._identity: Identity | None = None
        self._status: int | None = None  # wait status of the last one, if it was our child

    def __repr__(self) -> str:
        return f"<Managed pid={self.pid} {self.paths.config}>"

    @property
    def pid(self) -> int:
        """The master's pid; 0 while none is known."""
        return self._identity.pid if self._identity else 0

    @property
    def log(self) -> str:
        """Where HAProxy's own messages are."""
        return self._output.path

    def runtime(self) -> RuntimeClient:
        """The connection to the worker that serves now."""
        return self._runtime

    async def start(self, config: str) -> None:
        """Start HAProxy with this configuration. One of ours that runs but could not be adopted is replaced."""
        async with self._lock:
            former = identity.recall(self.paths.pid)
            family = self._family()
            reloading.clear_states(self.paths)
            await self._free(binds_of(config), family, patience=VANISH)
            await self._checked(config)
            self._config.place()
            self._config.settle()
            self._output.trim()
            mark = self._output.mark()
            await self._runtime.reconnect()
            self._identity, self._status = self._spawn(mark), None
            try:
                await self._answers(self._identity, mark, START)
            except BaseException:
                await self._end(self._identity)
                if former:
                    identity.remember(self.paths.pid, former)
                raise
            for each in (former,) if former else family:  # could not be adopted, or workers that lost their master
                each.send(signal.SIGUSR1)

    async def adopt(self) -> bool:
        """Take over our HAProxy that runs. No reload, unless one was under way when we died: that one is finished."""
        async with self._lock:
            found = identity.recall(self.paths.pid) or await self._by_socket()
            if found is None or not self._ours(found.words):
                return False
            try:
                await self._answers(found, self._output.mark(), ADOPT)
                if self._config.unsettled:
                    await reloading.save_states(self._runtime, self.paths)
                    await reloading.reload(self._master, self._runtime, self._output)
                    self._config.settle()
            except HAProxyError:
                await self._runtime.close()
                return False
            self._identity, self._status = found, None
            identity.remember(self.paths.pid, found)
            self._output.trim()
            return True

    async def reload(self, config: str, reason: str) -> Reloaded:
        """Replace the worker by one with this configuration, losing no request."""
        async with self._lock:
            began = time.monotonic()
            new = tuple(set(binds_of(config)) - set(binds_of(self._config.text)))
            await self._free(new, self._family() if new else ())
            warnings = await self._checked(config)
            now = await whole(self._replace_worker())
            return Reloaded(reason, now.worker, time.monotonic() - began, warnings)

    async def _replace_worker(self) -> Processes:
        self._config.place()
        try:
            await reloading.save_states(self._runtime, self.paths)
            now = await reloading.reload(self._master, self._runtime, self._output, self._identity)
        except Exception:
            self._config.restore()
            raise
        self._config.settle()
        self._output.trim()
        return now

    async def save(self, config: str) -> None:
        """Put the configuration in place for the next start."""
        async with self._lock:
            await asyncio.to_thread(self._config.write, config)
            self._output.trim()

    async def wait_exit(self) -> str:
        """Wait until HAProxy has ended; answers how."""
        known = self._identity
        if known is None:
            return "HAProxy was not started"
        await known.ended()
        self._reap(known)
        said = alerts(self._output.since(max(0, self._output.mark() - 4000)))
        return f"HAProxy (pid {known.pid}) {identity.how(self._status)}" + (f": {said}" if said else "")

    async def stop(self, drain: float) -> None:
        """Close the listeners, let running requests finish for at most `drain` seconds, then end it."""
        async with self._lock:
            known = self._identity or identity.recall(self.paths.pid)
            if known:
                await self._runtime.close()  # it would keep the worker waiting
                if drain > 0 and known.send(signal.SIGUSR1):
                    await _within(drain, known)
                await self._end(known)
            await self._runtime.close()

    async def close(self) -> None:
        """Let go of it; it keeps running."""
        await self._runtime.close()

    async def _free(self, binds: tuple[str, ...], family: Collection[Identity], patience: float = 0.0) -> None:
        """See that nobody else listens on these addresses; a program that is just ending has `patience` seconds."""
        ours = frozenset(each.pid for each in family)
        end = time.monotonic() + patience
        low = may_take_low_ports(self.binary)
        while True:
            found = await asyncio.to_thread(busy, binds, ours, low=low, share=self._share)
            taken = [each for each in found if not each.shared]
            if not taken:
                return
            if time.monotonic() >= end or any(each.pid for each in taken):
                raise AddressError(tuple(taken))
            await asyncio.sleep(0.02)

    async def _checked(self, config: str) -> tuple[str, ...]:
        """Offer the configuration and have it checked; answers HAProxy's warnings."""
        try:
            faults = await check(self.binary, self._config.offer(config))
            if any(fault.fatal for fault in faults):
                raise ConfigError(self._config.path, faults)
        except BaseException:
            self._config.withdraw()
            raise
        return tuple(str(fault) for fault in faults)

    def _spawn(self, mark: int) -> Identity:
        for socket in (self.paths.master, self.paths.socket):
            Path(socket).unlink(missing_ok=True)
        words = [self.binary, "-W", "-S", f"{self.paths.master},mode,600", "-f", self.paths.config]
        errors = self._output.open()
        lines = stdout() if self._access_log else os.dup(errors)
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, lines, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ]
            pid = os.posix_spawn(
                self.binary,
                words,
                _environment(),
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores them, and that would be inherited
            )
        except OSError as error:
            raise BinaryError(f"cannot start {self.binary}: {error.strerror}", "is HAProxy still installed?") from error
        finally:
            os.close(errors)
            os.close(lines)
        started = identity.identify(pid)
        if started is None:
            raise self._no_start(identity.reap(pid), mark)
        identity.remember(self.paths.pid, started)
        return started

    async def _answers(self, known: Identity, mark: int, deadline: float) -> None:
        """Wait until master and worker answer. Raises `StartError` if it ends, or the time does."""
        end = asyncio.get_running_loop().time() + deadline
        while True:
            try:
                now = await self._master.processes()
                if now.master == known.pid and now.worker:
                    await self._runtime.renew()
                    if self._runtime.pid == now.worker:
                        return
            except UnreachableError:
                pass
            if not known.alive:
                self._reap(known)
                raise self._no_start(self._status, mark)
            if asyncio.get_running_loop().time() > end:
                what = f"HAProxy (pid {known.pid}) does not answer within {deadline:.0f} s"
                raise StartError(what, f"see {self.log}")
            await asyncio.sleep(0.005)

    def _no_start(self, status: int | None, mark: int) -> StartError:
        said = alerts(self._output.since(mark)) or "it gives no reason"
        return StartError(f"HAProxy {identity.how(status)}: {said}", f"see {self.log}")

    async def _by_socket(self) -> Identity | None:
        """Without a pid file: ask the socket for the master's pid."""
        with contextlib.suppress(HAProxyError):
            return identity.identify((await self._master.processes()).master)
        return None

    async def _end(self, known: Identity) -> None:
        """SIGTERM, then SIGKILL to the master and what is left of its workers."""
        workers = [each for each in self._family() if each != known]
        if known.send(signal.SIGTERM):
            await _within(TERM, known)
        for each in (known, *workers):
            if each.send(signal.SIGKILL):
                await _within(TERM, each)
        self._reap(known)
        self._clear()
        if self._identity == known:
            self._identity = None

    def _family(self) -> tuple[Identity, ...]:
        """Every process of a HAProxy that runs with our files: masters, workers, also those that lost their master."""
        return identity.with_words(self._ours)

    def _ours(self, words: tuple[str, ...]) -> bool:
        """Whether a command line names our files; `-S PATH,mode,600` names PATH."""
        return {self.paths.config, self.paths.master} <= {word.split(",")[0] for word in words}

    def _clear(self) -> None:
        for path in (self.paths.pid, self.paths.master, self.paths.socket):
            Path(path).unlink(missing_ok=True)

    def _reap(self, known: Identity) -> None:
        status = identity.reap(known.pid)
        self._status = self._status if status is None else status


async def _within(seconds: float, known: Identity) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await known.ended()


def _environment() -> dict[str, str]:
    """Ours, without what HAProxy would take for messages from its own former self or from systemd."""
    told = ("HAPROXY_", "LISTEN_", "NOTIFY_SOCKET")
    return {name: value for name, value in os.environ.items() if not name.startswith(told)}
