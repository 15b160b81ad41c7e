"""The bridge between kazoo and the event loop; the only module that imports kazoo.

kazoo is made for threads: it has one that speaks to the server, and two more that hand out answers and watch events.
The handler below keeps the first only, and lets it drop everything into an `Inbox` of the event loop, in the order in
which the server said it. So an event is always seen before the answer that came after it, as ZooKeeper promises, and
no code of ours ever runs in a thread of kazoo's, nor calls kazoo from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from kazoo import exceptions
from kazoo.client import KazooClient
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

from longshore.clients import zookeeper_faults as faults
from longshore.clients.zookeeper_inbox import Inbox

IN_FLIGHT = 100  # requests; a thread that waits in kazoo's wake-up pipe (room for about 278) would be our event loop
SLOWEST_CONNECT = 3.0  # seconds; kazoo itself would spend a whole session on a host that does not answer
FOLLOWS = (exceptions.RolledBackError, exceptions.RuntimeInconsistency)  # because another part of it failed
SILENT = logging.Logger("kazoo", logging.CRITICAL + 1)  # what it says is said by our faults, in words for people


class Handler(SequentialThreadingHandler):  # type: ignore[misc]  # kazoo has no types
    """How kazoo runs what it has to run: no thread but the one that speaks to the server.

    `running` False makes its results call back at once instead of through a thread. `reasons` says what became of the
    last try at each host, `crash` why the thread ended if it should not have. `vain` is called on the event loop when
    all hosts were tried twice since the last connection that was of use (see `works`).
    """

    running = False

    def __init__(self, inbox: Inbox, tls: ssl.SSLContext | None, vain: Callable[[], None]) -> None:
        super().__init__()
        self.reasons = dict[str, str]()
        self.crash = ""
        self._inbox = inbox
        self._tls = tls
        self._vain = vain
        self._tries = 0
        self._is_cut = False
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Start no threads."""

    def stop(self) -> None:
        """Stop none."""

    def spawn(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Start the thread that speaks to the server. What it dies of is kept, not printed."""

        def run() -> None:
            try:
                func(*args, **kwargs)
            except Exception as error:
                self.crash = f"{type(error).__name__}: {error}"

        thread = threading.Thread(target=run, name="zookeeper", daemon=True)
        thread.start()
        return thread

    def dispatch_callback(self, callback: Any) -> None:
        """Hand out a watch event."""
        self._inbox.put(partial(callback.func, *callback.args))

    def create_connection(self, *, address: tuple[str, int], hostname: str, timeout: float, **_: Any) -> socket.socket:
        """Connect to a server, and note what became of it."""
        if self._is_cut:
            raise OSError("the connection was cut")
        self._tries += 1
        if self._tries > 2 * max(1, len(self.reasons)):
            self._inbox.put(self._vain)
        host = faults.address(hostname, address[1])
        made: socket.socket | None = None
        try:
            made = socket.create_connection(address, min(timeout, SLOWEST_CONNECT))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                made = self._tls.wrap_socket(made, server_hostname=hostname)
        except OSError as error:
            self.reasons[host] = faults.reason(error)
            if made:
                made.close()
            raise
        self.reasons[host] = faults.NOT_SERVING
        self._socket = made
        return made

    def works(self) -> None:
        """Know that the connection is of use."""
        self._tries = 0

    def cut(self) -> None:
        """Break the connection for good, without ending the session. For any thread."""
        self._is_cut = True
        with contextlib.suppress(OSError, AttributeError):
            self._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


class Bridge:
    """One kazoo client for one session.

    Called on the event loop are `changed` with kazoo's name of each new state, `watched` with the type and path of each
    watch event, and `vain` when no host is of use.
    """

    def __init__(
        self,
        hosts: str,
        session: float,
        digest: str,
        tls: ssl.SSLContext | None,
        changed: Callable[[str], None],
        watched: Callable[[str, str], None],
        vain: Callable[[], None],
    ) -> None:
        self._inbox = Inbox()
        self._handler = Handler(self._inbox, tls, vain)
        self._digest = digest
        self._watched = watched
        self._window = asyncio.Semaphore(IN_FLIGHT)
        self._open = set[asyncio.Future[Any]]()
        self._broken: Exception | None = None
        # Whoever makes nodes with a user and a password may do everything with them, the others read them.
        self._acl = [*CREATOR_ALL_ACL, *READ_ACL_UNSAFE] if digest else OPEN_ACL_UNSAFE
        self._client = KazooClient(
            hosts,
            timeout=session,
            handler=self._handler,
            auth_data=[("digest", digest)] if digest else None,
            connection_retry=KazooRetry(max_tries=-1, delay=0.1, max_delay=1.0, sleep_func=self._handler.sleep_func),
            logger=SILENT,
        )
        # The listener runs in kazoo's thread, so it only looks up the name of the state and drops it in the inbox.
        self._client.add_listener(lambda _: self._inbox.put(partial(changed, str(self._client.client_state))))

    def start(self) -> None:
        """Begin to connect, and to connect again whenever the connection breaks."""
        self._client.start_async()

    @property
    def reasons(self) -> dict[str, str]:
        """What became of the last try at each host."""
        unknown = {faults.address(*host): "was not tried (does its name resolve?)" for host in self._client.hosts}
        return unknown | self._handler.reasons

    @property
    def crash(self) -> str:
        """Why kazoo gave up, "" if it did not."""
        return self._handler.crash

    @property
    def identity(self) -> tuple[int, bytes]:
        """The session's number and password, while connected."""
        return self._client.client_id or (0, b"")

    @property
    def newest(self) -> int:
        """The zxid of the last answer."""
        return int(self._client.last_zxid)

    def drop(self, error: Exception) -> None:
        """Answer all that was asked, and all that will be, with `error`: kazoo would wait for a connection."""
        self._broken = error
        for future in self._open:
            if not future.done():
                future.set_exception(error)

    def resume(self) -> None:
        """Ask the server again: it is there."""
        self._broken = None
        self._handler.works()

    async def get(self, path: str, watch: bool) -> tuple[bytes, Any]:
        """Ask for the value and the stat of a node."""
        found: tuple[bytes, Any] = await self._ask("read", path, self._client.get_async, self._watcher(watch))
        return found

    async def exists(self, path: str, watch: bool) -> bool:
        """Ask whether a node is there."""
        return await self._ask("read", path, self._client.exists_async, self._watcher(watch)) is not None

    async def children(self, path: str, watch: bool) -> list[str]:
        """Ask for the names below a node."""
        found: list[str] = await self._ask("list", path, self._client.get_children_async, self._watcher(watch))
        return found

    async def create(self, path: str, value: bytes, ephemeral: bool, sequence: bool) -> str:
        """Make a node, return its path."""
        ask = partial(self._client.create_async, ephemeral=ephemeral, sequence=sequence, acl=self._acl)
        return str(await self._ask("create", path, ask, value))

    async def replace(self, old: str, path: str, value: bytes, sequence: bool) -> str:
        """Remove a node and make an ephemeral one, at the same moment for everybody who looks; return its path."""

        def ask(path: str) -> Any:
            transaction = self._client.transaction()
            transaction.delete(old)
            transaction.create(path, value, acl=self._acl, ephemeral=True, sequence=sequence)
            return transaction.commit_async()

        answers = await self._ask("create", path, ask)
        for error in answers:
            if isinstance(error, Exception) and not isinstance(error, FOLLOWS):
                raise self._translate(error, "create", path) from error
        return str(answers[1])

    async def set(self, path: str, value: bytes) -> None:
        """Change the value of a node."""
        await self._ask("change", path, self._client.set_async, value)

    async def delete(self, path: str) -> None:
        """Remove a node."""
        await self._ask("remove", path, self._client.delete_async)

    async def sync(self, path: str) -> None:
        """Have the server catch up with its leader."""
        await self._ask("read", path, self._client.sync_async)

    async def close(self, *, keep: bool, patience: float) -> None:
        """End the thread, and the session too if it is connected and not to be kept.

        Waits for at most `patience` seconds; the rest happens by itself.
        """
        done = asyncio.Event()

        def stop() -> None:
            if keep:
                self._handler.cut()
            try:
                self._client.stop()
                self._client.close()
            finally:
                self._inbox.put(done.set)

        threading.Thread(target=stop, name="zookeeper-close", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), patience)

    def _watcher(self, wanted: bool) -> Callable[[Any], None] | None:
        """Give what kazoo calls for a watch event: always the same object, so that it keeps one for each path."""
        return self._note if wanted else None

    def _note(self, event: Any) -> None:
        if event.path:  # else it says that the connection broke, which the listener says too
            self._watched(event.type, event.path)

    async def _ask(self, what: str, path: str, ask: Callable[..., Any], *rest: Any) -> Any:
        async with self._window:
            if self._broken:
                raise self._broken
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._open.add(future)
            try:
                ask(path, *rest).rawlink(lambda result: self._inbox.put(partial(_settle, future, result)))
                return await future
            except (exceptions.KazooException, ValueError, TypeError) as error:
                raise self._translate(error, what, path) from error
            finally:
                self._open.discard(future)

    def _translate(self, error: Exception, what: str, path: str) -> faults.ZooKeeperError:
        """Make our fault of kazoo's; the one place that does it."""
        hosts = ", ".join(faults.address(*host) for host in self._client.hosts)
        if isinstance(error, exceptions.NoNodeError):
            return faults.NoNodeError(f"ZooKeeper has no node {path}")
        if isinstance(error, exceptions.NodeExistsError):
            return faults.NodeExistsError(f"ZooKeeper has a node {path} already")
        if isinstance(error, exceptions.NoAuthError):
            return faults.not_allowed(path, what, bool(self._digest))
        if isinstance(error, (exceptions.ConnectionLoss, exceptions.OperationTimeoutError)):
            return faults.suspended(hosts)
        if isinstance(error, exceptions.SessionExpiredError):
            return faults.ended(hosts, "it expired")
        return faults.refused(path, what, f"{type(error).__name__} {error}".strip())


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():  # cancelled, or answered when the connection broke
        return
    if result.exception is not None:
        future.set_exception(result.exception)
    else:
        future.set_result(result.value)
