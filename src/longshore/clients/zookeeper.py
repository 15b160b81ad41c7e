"""A client of ZooKeeper: one session, from its first connection to its end.

    async with ZooKeeper(["127.0.0.1:2181"]) as zookeeper:
        names = await zookeeper.children("/services", watch=True)
        await zookeeper.changed()

The session outlives its connection: while that is broken (SUSPENDED) every question is refused at once, and what was
read before may be out of date. It is connected again by itself. Watches do not outlive the connection: read again.
When the session has ended (LOST), its ephemeral nodes are gone and the client is of no use any more.

kazoo, which speaks the protocol, is an optional part and loaded when the first client is made (`zookeeper_kazoo`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from longshore.clients import zookeeper_faults as faults
from longshore.clients.faults import TlsFault
from longshore.clients.tls import TlsFiles, client_context
from longshore.clients.zookeeper_faults import ZooKeeperError, ZooKeeperRefusedError

if TYPE_CHECKING:
    from longshore.clients.zookeeper_kazoo import Bridge

T = TypeVar("T")

Change = Literal["value", "children", "gone"]
"""What a watch said: the value was written (or the node made), its children are others, it was removed."""

State = Literal["", "connected", "suspended", "ended"]

CHANGES: dict[str, Change] = {"CREATED": "value", "CHANGED": "value", "CHILD": "children", "DELETED": "gone"}
BIGGEST = 1_000_000  # bytes of a value; a little more (jute.maxbuffer) and the server hangs up, again and again


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of a node besides its path."""

    value: bytes
    session: int  # the session that an ephemeral node belongs to, 0 for one that stays
    made: int  # number of the change that made it; they only rise


class ZooKeeper:
    """One session with the ensemble at `hosts` ("name:port" each; the port is 2181 if not said).

    `session` is how long, in seconds, it lives on without a connection, within the limits of the servers. `digest` is
    "user:password". `news` is set whenever a watch fired, or the connection broke, came back or ended.

    All methods raise ZooKeeperError; one that is a ZooKeeperRefusedError leaves the session in peace.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        *,
        session: float = 10.0,
        digest: str = "",
        tls: TlsFiles | None = None,
        news: asyncio.Event | None = None,
    ) -> None:
        self.hosts = ", ".join(hosts)
        self.news = news or asyncio.Event()
        self._session = session
        self._state: State = ""
        self._over = ""
        try:
            context = client_context(tls) if tls else None
        except TlsFault as fault:
            raise ZooKeeperError(fault.what, fault.hint) from fault
        make = _bridge()
        self._bridge = make(",".join(hosts), session, digest, context, self._turned, self._noted, self._in_vain)
        self._changes = dict[tuple[str, Change], None]()
        self._is_vain = False
        self._is_blind = False
        self._is_closed = False

    async def __aenter__(self) -> ZooKeeper:
        """Connect; raises ZooKeeperError if no server takes us: at once if all refuse, else after a session's time."""
        self._bridge.start()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._session, 5.0)):
                    while not self._state and not self._is_vain:
                        self.news.clear()
                        await self.news.wait()
            if not self.is_connected:
                raise self._why() or faults.unreachable(self._bridge.reasons)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the session."""
        await self.close()

    async def close(self, *, keep: bool = False) -> None:
        """End the session, or with `keep` leave it to run out: its ephemeral nodes stay for so long."""
        if not self._is_closed:
            self._is_closed = True
            was_connected = self.is_connected
            self._end("we closed it")
            await self._bridge.close(keep=keep or not was_connected, patience=5.0)

    @property
    def is_connected(self) -> bool:
        """Whether questions are answered."""
        return self._state == "connected"

    @property
    def has_ended(self) -> str:
        """Why the session is over, "" while it is not."""
        return self._over

    @property
    def identity(self) -> tuple[int, bytes]:
        """The session's number and password; 0 while it is not connected."""
        return self._bridge.identity

    @property
    def newest(self) -> int:
        """The number of the newest change that a server has told us to know."""
        return self._bridge.newest

    def changes(self) -> list[tuple[str, Change]]:
        """Return what watches said since the last call, in its order, each once.

        Raises ZooKeeperError once the connection is broken, also when it is back: the watches are lost.
        """
        if self._is_blind:
            raise self._why() or faults.suspended(self.hosts)
        found, self._changes = list(self._changes), {}
        return found

    async def changed(self) -> list[tuple[str, Change]]:
        """Wait for watches to fire, then do what `changes` does."""
        while not self._changes and not self._is_blind:
            self.news.clear()
            await self.news.wait()
        return self.changes()

    def look_anew(self) -> None:
        """Say that from now on all that counts is read and watched again: `changes` works again."""
        self._changes.clear()
        self._is_blind = not self.is_connected

    @property
    def is_blind(self) -> bool:
        """Whether watches were lost, and `look_anew` was not called since."""
        return self._is_blind

    async def get(self, path: str, *, watch: bool = False) -> Node | None:
        """Read a node, and watch it if it is there."""
        return _one(await self.get_all([path], watch=watch))

    async def get_all(self, paths: Sequence[str], *, watch: bool = False) -> list[Node | ZooKeeperRefusedError | None]:
        """Do what `get` does for many nodes; a refusal is an answer too."""
        found: list[Node | ZooKeeperRefusedError | None] = []
        for answer in await self._bridge.get(paths, watch):
            if isinstance(answer, ZooKeeperRefusedError):
                found.append(None if isinstance(answer, faults.NoNodeError) else answer)
            else:
                value, stat = answer
                found.append(Node(value or b"", stat.ephemeralOwner, stat.czxid))
        return found

    async def children(self, path: str, *, watch: bool = False) -> list[str] | None:
        """List the names below a node, and watch for others; None if the node is not there."""
        return _one(await self.children_all([path], watch=watch))

    async def children_all(
        self, paths: Sequence[str], *, watch: bool = False
    ) -> list[list[str] | ZooKeeperRefusedError | None]:
        """Do what `children` does for many nodes; a refusal is an answer too."""
        answers = await self._bridge.children(paths, watch)
        return [None if isinstance(answer, faults.NoNodeError) else answer for answer in answers]

    async def exists(self, path: str, *, watch: bool = False) -> bool:
        """Tell whether a node is there, and watch for its coming or going."""
        return await self._bridge.exists(path, watch)

    async def create(self, path: str, value: bytes, *, ephemeral: bool = False, sequence: bool = False) -> str:
        """Make a node, and the nodes above it that are missing; return its path (`sequence` appends ten digits)."""
        _fits(path, value)
        for _ in range(5):  # somebody may tidy up above it meanwhile
            try:
                return await self._bridge.create(path, value, ephemeral, sequence)
            except faults.NoNodeError:
                with contextlib.suppress(faults.NodeExistsError):
                    await self.create(path.rpartition("/")[0], b"")
        raise faults.refused(path, "create", "the nodes above it vanish again and again")

    async def replace(
        self, old: str, path: str, value: bytes, *, ephemeral: bool = True, sequence: bool = False
    ) -> str:
        """Remove a node and make one of ours in one step, for nodes of other sessions; return its path.

        Raises NoNodeError when `old` is gone.
        """
        _fits(path, value)
        return await self._bridge.replace(old, path, value, ephemeral, sequence)

    async def set(self, path: str, value: bytes) -> bool:
        """Change the value of a node; False if it is not there."""
        _fits(path, value)
        try:
            await self._bridge.set(path, value)
        except faults.NoNodeError:
            return False
        return True

    async def delete(self, path: str) -> bool:
        """Remove a node; False if it was not there."""
        try:
            await self._bridge.delete(path)
        except faults.NoNodeError:
            return False
        return True

    async def sync(self, path: str = "/") -> None:
        """Have the server we are connected to catch up with the leader: what is read next is no older than now."""
        await self._bridge.sync(path)

    def _turned(self, name: str) -> None:
        """Take in a state of kazoo's: CONNECTED, CONNECTING, EXPIRED_SESSION, AUTH_FAILED, CLOSED."""
        if self._over:
            return  # kazoo would begin a new session by itself; to us it is the end
        if name == "CONNECTED":
            self._bridge.resume()
            self._state = "connected"
            self.news.set()
        elif name == "CONNECTING":
            self._break_off("suspended", faults.suspended(self.hosts))
        elif name == "EXPIRED_SESSION":
            self._end("it expired")
        elif name == "AUTH_FAILED":
            self._end("user or password were refused")
        else:
            self._end(self._bridge.crash or "the connection was given up")

    def _in_vain(self) -> None:
        """Know that all servers were tried, and tried again."""
        self._is_vain = True
        self.news.set()

    def _end(self, why: str) -> None:
        if not self._over:
            self._over = why
            self._break_off("ended", faults.ended(self.hosts, why))

    def _break_off(self, state: State, error: ZooKeeperError) -> None:
        self._state, self._is_blind = state, True
        self._bridge.drop(error)
        self.news.set()

    def _noted(self, kind: str, path: str) -> None:
        """Take in a watch event."""
        self._changes[path, CHANGES[kind]] = None
        self.news.set()

    def _why(self) -> ZooKeeperError | None:
        """Say why there is no connection; None while there is, or when there never was."""
        if self._over:
            return faults.ended(self.hosts, self._over)
        return faults.suspended(self.hosts) if self._state == "suspended" else None


def _one(answers: Sequence[T | ZooKeeperRefusedError]) -> T:
    (answer,) = answers
    if isinstance(answer, ZooKeeperRefusedError):
        raise answer
    return answer


def _fits(path: str, value: bytes) -> None:
    if len(value) > BIGGEST:
        raise faults.refused(path, "write", f"the value has {len(value)} bytes, at most {BIGGEST} can be stored")


def _bridge() -> type[Bridge]:
    try:
        from longshore.clients.zookeeper_kazoo import Bridge
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "kazoo":
            raise faults.missing() from error
        raise
    return Bridge
