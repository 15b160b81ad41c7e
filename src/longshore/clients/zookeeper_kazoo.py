"""The bridge between kazoo and the event loop. It and `zookeeper_handler` are the only modules that import kazoo.

kazoo is made for threads: it has one that speaks to the server, and two more that hand out answers and watch events.
Our handler keeps the first only, and lets it drop everything into an `Inbox` of the event loop, in the order in which
the server said it. So an event is always seen before the answer that came after it, as ZooKeeper promises, and
no code of ours ever runs in a thread of kazoo's, nor calls kazoo from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from kazoo import exceptions
from kazoo.client import KazooClient
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

from longshore.clients import zookeeper_faults as faults
from longshore.clients.zookeeper_handler import Handler
from longshore.clients.zookeeper_inbox import Inbox
from longshore.clients.zookeeper_many import Many

# Requests under way, at most: each is a byte in kazoo's wake-up pipe, which has room for about 278, and when it is full
# our event loop stands still.
IN_FLIGHT = 80
MANY, MANY_AT_ONCE = 64, 2
FOLLOWS = (exceptions.RolledBackError, exceptions.RuntimeInconsistency)  # because another part of it failed
SILENT = logging.Logger("kazoo", logging.CRITICAL + 1)  # what it says is said by our faults, in words for people


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
        self._window, self._many = asyncio.Semaphore(IN_FLIGHT), asyncio.Semaphore(MANY_AT_ONCE)
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

    async def get(self, paths: Sequence[str], watch: bool) -> list[tuple[bytes, Any] | faults.ZooKeeperRefusedError]:
        """Ask for the values and the stats of nodes."""
        return await self._ask_all("read", paths, partial(self._client.get_async, watch=self._watcher(watch)))

    async def children(self, paths: Sequence[str], watch: bool) -> list[list[str] | faults.ZooKeeperRefusedError]:
        """Ask for the names below nodes."""
        return await self._ask_all("list", paths, partial(self._client.get_children_async, watch=self._watcher(watch)))

    async def exists(self, path: str, watch: bool) -> bool:
        """Ask whether a node is there."""
        return await self._ask("read", path, self._client.exists_async, self._watcher(watch)) is not None

    async def create(self, path: str, value: bytes, ephemeral: bool, sequence: bool) -> str:
        """Make a node, return its path."""
        ask = partial(self._client.create_async, ephemeral=ephemeral, sequence=sequence, acl=self._acl)
        return str(await self._ask("create", path, ask, value))

    async def replace(self, old: str, path: str, value: bytes, ephemeral: bool, sequence: bool) -> str:
        """Remove a node and make another, at the same moment for everybody who looks; return its path."""

        def ask(path: str) -> Any:
            transaction = self._client.transaction()
            transaction.delete(old)
            transaction.create(path, value, acl=self._acl, ephemeral=ephemeral, sequence=sequence)
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

    async def _ask_all(self, what: str, paths: Sequence[str], ask: Callable[[str], Any]) -> list[Any]:
        async with self._many:
            if self._broken:
                raise self._broken
            with self._answer() as future:

                def done(answers: list[Any] | Exception) -> None:
                    self._inbox.put(partial(_settle, future, answers))

                many = Many(ask, paths, MANY, lambda error, path: self._translate(error, what, path), done)
                try:
                    return await future if paths else []
                finally:
                    many.stop()

    async def _ask(self, what: str, path: str, ask: Callable[..., Any], *rest: Any) -> Any:
        async with self._window:
            if self._broken:
                raise self._broken
            with self._answer() as future:

                def done(result: Any) -> None:
                    self._inbox.put(partial(_settle, future, result.value if result.successful() else result.exception))

                try:
                    ask(path, *rest).rawlink(done)
                    return await future
                except (exceptions.KazooException, ValueError, TypeError) as error:
                    raise self._translate(error, what, path) from error

    @contextlib.contextmanager
    def _answer(self) -> Iterator[asyncio.Future[Any]]:
        """Give what will hold an answer, or why there is none."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._open.add(future)
        try:
            yield future
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


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # cancelled, or answered when the connection broke
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
