"""A HAProxy that somebody else runs, systemd for example: we write its configuration, reload it, and never end it."""

from __future__ import annotations

import asyncio
import time

from longshore.clients.haproxy import RuntimeClient
from longshore.clients.haproxy_faults import HAProxyError, UnreachableError
from longshore.clients.haproxy_master import MasterClient, Processes
from longshore.core.paths import Paths
from longshore.haproxy import reloading
from longshore.haproxy.config_file import ConfigFile
from longshore.haproxy.contract import Reloaded
from longshore.haproxy.faults import ConfigError, ReloadError
from longshore.haproxy.validate import check

GONE = 5.0  # seconds without an answer until it counts as ended
_EVERY = 1.0


class Attached:
    """The HAProxy behind `paths.socket`.

    `master_socket` is the path of its master socket ("" if it has none), `config_file` the file it was started with,
    `binary` the same HAProxy for checking configurations ("" to leave that to the reload).
    """

    managed = False

    def __init__(self, paths: Paths, *, config_file: str, master_socket: str = "", binary: str = "") -> None:
        self.paths = paths
        self.binary = binary
        self._config = ConfigFile(config_file)
        self._master = MasterClient(master_socket) if master_socket else None
        self._runtime = RuntimeClient(paths.socket)
        self._lock = asyncio.Lock()
        self._pid = 0
        self._worker = 0  # the worker that ran when a configuration was placed that nobody could make it load

    def __repr__(self) -> str:
        return f"<Attached {self.paths.socket} {self._config.path}>"

    @property
    def pid(self) -> int:
        """The master's pid as HAProxy tells it; 0 while unknown."""
        return self._pid

    def runtime(self) -> RuntimeClient:
        """The connection to the worker that serves now."""
        return self._runtime

    async def start(self, config: str) -> None:
        """Give the running HAProxy this configuration. Raises `UnreachableError` if it does not run."""
        await self._reach()
        await self.reload(config, "longshore begins to look after this HAProxy")

    async def adopt(self) -> bool:
        """True if the running HAProxy has a configuration of ours already; a reload that was under way is finished."""
        async with self._lock:
            await self._reach()
            if not self._config.ours:
                return False
            if self._config.unsettled:
                if self._master is None:
                    return False
                await reloading.save_states(self._runtime, self.paths)
                await reloading.reload(self._master, self._runtime, None)
                self._config.settle()
            return True

    async def reload(self, config: str, reason: str) -> Reloaded:
        """Replace the worker by one with this configuration.

        Without a master socket we cannot: the file is put in place, and the error says what an operator does now. Once
        that is done, the next call with the same configuration finds a new worker and is content.
        """
        async with self._lock:
            began = time.monotonic()
            if await self._loaded_by_hand(config):
                return Reloaded(reason, self._runtime.pid, time.monotonic() - began)
            await reloading.save_states(self._runtime, self.paths)
            warnings = await self._checked(config)
            self._config.place()
            if self._master is None:
                self._worker = self._worker or self._runtime.pid
                raise ReloadError(
                    f"HAProxy must be reloaded ({reason}), and it has no master socket: {self._config.path} is written",
                    "run `systemctl reload haproxy`; to let longshore do it, start HAProxy with `-W -S PATH` and set "
                    "`haproxy: {master-socket: PATH}`",
                )
            now = await reloading.whole(self._replace_worker(self._master))
            self._pid = now.master
            return Reloaded(reason, now.worker, time.monotonic() - began, warnings)

    async def save(self, config: str) -> None:
        """Put the configuration in place for the next start."""
        async with self._lock:
            await asyncio.to_thread(self._config.write, config)

    async def wait_exit(self) -> str:
        """Wait until nobody has answered for some seconds."""
        silent = 0.0
        while silent < GONE:
            await asyncio.sleep(_EVERY)
            try:
                await self._runtime.ask("show version")
                silent = 0.0
            except UnreachableError:
                silent += _EVERY
        return f"HAProxy does not answer on {self.paths.socket}"

    async def stop(self, drain: float) -> None:
        """Leave it running: it is not ours."""
        await self.close()

    async def close(self) -> None:
        """Let go of it."""
        await self._runtime.close()

    async def _replace_worker(self, master: MasterClient) -> Processes:
        try:
            now = await reloading.reload(master, self._runtime, None)
        except Exception:
            self._config.restore()
            raise
        self._config.settle()
        return now

    async def _reach(self) -> None:
        try:
            await self._runtime.renew()
        except UnreachableError as error:
            raise UnreachableError(
                error.what, f"start HAProxy, or see that it has `stats socket {self.paths.socket} level admin`"
            ) from error
        if self._master:
            self._pid = (await reloading.running(self._master)).master

    async def _loaded_by_hand(self, config: str) -> bool:
        if self._master or not self._config.unsettled or self._config.text != config or not self._worker:
            return False
        await self._runtime.renew()
        if self._runtime.pid == self._worker:
            return False
        self._config.settle()
        self._worker = 0
        return True

    async def _checked(self, config: str) -> tuple[str, ...]:
        offered = self._config.offer(config)
        if not self.binary:
            return ()
        try:
            faults = await check(self.binary, offered)
            if any(fault.fatal for fault in faults):
                raise ConfigError(self._config.path, faults)
        except HAProxyError:
            self._config.withdraw()
            raise
        return tuple(str(fault) for fault in faults)
