"""Real ZooKeeper servers: Debian's 3.8 with a Java of its own, one server or an ensemble of three.

    with ZooKeeper(size=3) as zookeeper:
        print(zookeeper.hosts)
        zookeeper.kill(zookeeper.leader())

All listen on loopback and end with the process that started them.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Literal

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.retry import KazooRetry

from tests.lab import packages
from tests.lab.authority import Authority
from tests.lab.cluster import Cluster
from tests.lab.waiting import until

SUITE = "bookworm"
Tls = Literal["", "server", "mutual"]
TICK = 500  # milliseconds: a session lasts at least two ticks
JARS = (
    *("zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "metrics-core", "snappy-java", "commons-cli"),
    *(
        "commons-io",
        "netty-buffer",
        "netty-codec",
        "netty-common",
        "netty-handler",
        "netty-resolver",
        "netty-transport",
    ),
    *("netty-transport-native-epoll", "netty-transport-native-unix-common"),
)
JAVA = [
    "-Xms16m",
    "-Xmx96m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Dzookeeper.jmx.log4j.disable=true",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
]


def tree() -> Path:
    """Return the folder with ZooKeeper 3.8 and Java 17, fetched and unpacked on first use."""
    found = packages.tree("zookeeper-3.8", SUITE, ["libzookeeper-java", "openjdk-17-jre-headless"])
    _relink(found)
    return found


def _relink(found: Path) -> None:
    """Let Java find its settings in the tree: Debian's package points to /etc by absolute links."""
    for link in (found / "usr" / "lib" / "jvm").rglob("*"):
        if link.is_symlink() and (target := link.readlink()).is_relative_to("/etc"):
            fresh = link.with_name(f"{link.name}.{os.getpid()}")
            fresh.symlink_to(found / target.relative_to("/"))
            fresh.replace(link)


class ZooKeeper(Cluster):
    """An ensemble of `size` servers, numbered from 0. `tls` "mutual" demands a client certificate on the TLS port.

    `authority` signed the servers' certificates (`ca`), and a client's (`client`).
    """

    name = "ZooKeeper"

    def __init__(self, *, size: int = 1, tls: Tls = "") -> None:
        super().__init__(size, each=4)
        self.tls = tls
        self._tree = tree()
        self._client: KazooClient | None = None
        if tls:
            self.authority = Authority(self.folder / "pki")
            self.client_files = self.authority.sign("client")
            certificate, key = self.authority.sign("server")
            (self.folder / "both.pem").write_text(certificate.read_text() + key.read_text())

    def close(self) -> None:
        """End all servers at once and remove their data."""
        if self._client:
            self._client.stop()
            self._client.close()
        super().close()

    @property
    def hosts(self) -> list[str]:
        """The addresses of all servers, in their order."""
        return [f"{self.place}:{port}" for port in self._ports]

    @property
    def secure_hosts(self) -> list[str]:
        """The addresses where they speak TLS."""
        return [f"{self.place}:{port + 3}" for port in self._ports]

    def _command(self, member: int) -> list[str | Path]:
        java = next(self._tree.glob("usr/lib/jvm/java-17-*/bin/java"))
        jars = ":".join(f"{self._tree}/usr/share/java/{name}.jar" for name in JARS)
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        return [java, *JAVA, "-cp", jars, main, self._settings(member)]

    def leader(self) -> int:
        """Return the number of the server that leads now."""

        def found() -> int | None:
            return next((member + 1 for member in self._running if self.mode(member) == "leader"), None)

        number = until(found, what="a server leads")
        assert number
        return number - 1

    def mode(self, member: int) -> str:
        """Return "standalone", "leader", "follower", or "" while it does not serve."""
        answer = self.ask(member, "srvr")
        return next((line[6:] for line in answer.splitlines() if line.startswith("Mode: ")), "")

    def ask(self, member: int, word: str) -> str:
        """Send a four-letter word to a server."""
        with socket.create_connection((self.place, self._ports[member]), timeout=5) as connection:
            connection.sendall(word.encode())
            parts = list[bytes]()
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts).decode(errors="replace")

    @property
    def client(self) -> KazooClient:
        """A plain client to set things up with and to look at what stands there; it has its own session."""
        if self._client is None:
            patient = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5)
            again = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5, deadline=60)
            hosts = ",".join(self.hosts)
            self._client = KazooClient(hosts, timeout=20, connection_retry=patient, command_retry=again)
            self._client.start(timeout=30)
        return self._client

    def put(self, path: str, value: bytes | str = b"", *, ephemeral: bool = False, sequence: bool = False) -> str:
        """Make a node or change its value; return its path."""
        data = value.encode() if isinstance(value, str) else value
        if not sequence and self._ask("exists", path):
            self._ask("set", path, data)
            return path
        made: str = self._ask("create", path, data, ephemeral=ephemeral, sequence=sequence, makepath=True)
        return made

    def delete(self, path: str) -> None:
        """Remove a node and all below it."""
        self._ask("delete", path, recursive=True)

    def nodes(self, path: str) -> dict[str, bytes]:
        """Return the nodes without children below a path, whole paths with their values."""
        self._ask("sync", "/")
        found = dict[str, bytes]()
        try:
            children = self._ask("get_children", path)
            if not children:
                found[path] = self._ask("get", path)[0]
        except NoNodeError:
            return {}
        for child in children:
            found |= self.nodes(f"{path.rstrip('/')}/{child}")
        return found

    def owner_of(self, path: str) -> int:
        """Return the session that an ephemeral node belongs to."""
        stat = self._ask("exists", path)
        assert stat, f"there is no {path}"
        return int(stat.ephemeralOwner)

    def end_session(self, session: int, password: bytes) -> None:
        """End somebody's session on the server's side, as if it had expired."""
        thief = KazooClient(",".join(self.hosts), client_id=(session, password), timeout=20)
        thief.start(timeout=30)
        thief.stop()
        thief.close()

    def _ask(self, method: str, *arguments: object, **options: object) -> Any:
        """Ask as often as it takes: a server may have gone meanwhile."""
        return self.client.retry(getattr(self.client, method), *arguments, **options)

    def _settings(self, member: int) -> Path:
        folder = self.folder / str(member)
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data" / "myid").write_text(str(member + 1))
        settings: dict[str, object] = {
            "tickTime": TICK,
            "initLimit": 20,
            "syncLimit": 10,
            "dataDir": folder / "data",
            "clientPort": self._ports[member],
            "clientPortAddress": self.place,
            "admin.enableServer": "false",
            "maxClientCnxns": 0,
            "4lw.commands.whitelist": "*",
            "minSessionTimeout": 2 * TICK,
            "maxSessionTimeout": 60000,
            "preAllocSize": 4096,
            "forceSync": "no",
        }
        if self.size > 1:
            settings["standaloneEnabled"] = "false"
            for number, port in enumerate(self._ports):
                settings[f"server.{number + 1}"] = f"{self.place}:{port + 1}:{port + 2}"
        if self.tls:
            settings |= {
                "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
                "secureClientPort": self._ports[member] + 3,
                "ssl.keyStore.location": self.folder / "both.pem",
                "ssl.trustStore.location": self.authority.ca,
                "ssl.clientAuth": "need" if self.tls == "mutual" else "none",
            }
        lines = [f"{key}={value}\n" for key, value in settings.items()]
        (folder / "zoo.cfg").write_text("".join(lines))
        return folder / "zoo.cfg"

    def _is_healthy(self, member: int) -> bool:
        return bool(self.mode(member))
