"""Real etcd servers: Debian's 3.4 and 3.5, one member or three, plain, with TLS or with client certificates.

    with Etcd("3.5", size=3) as etcd:
        print(etcd.endpoints)
        etcd.kill(etcd.leader())

All listen on loopback and end with the process that started them.
"""

from __future__ import annotations

import http.client
import json
import ssl
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Literal

from tests.lab import packages
from tests.lab.authority import Authority
from tests.lab.cluster import Cluster
from tests.lab.waiting import until

SUITES = {"3.4": "bookworm", "3.5": "trixie"}
SERIES = tuple(SUITES)
Tls = Literal["", "server", "mutual"]


def binary(series: str) -> Path:
    """Return the etcd of `series` ("3.4", "3.5"), fetched and unpacked on first use."""
    return packages.tree(f"etcd-{series}", SUITES[series], ["etcd-server"], patch=["usr/bin/etcd"]) / "usr/bin/etcd"


class Etcd(Cluster):
    """A cluster of `size` members, numbered from 0. `tls` "mutual" demands a client certificate.

    `authority` signed the servers' certificates (`ca`), and a client's without a common name (`client`).
    """

    def __init__(
        self, series: str = "3.5", *, size: int = 1, tls: Tls = "", days: int = 30, token_ttl: int = 300
    ) -> None:
        """`days` is how long the servers' certificates are good; 0 makes ones that have expired."""
        super().__init__(size, each=2)
        self.series, self.tls, self.name = series, tls, f"etcd {series}"
        self._program = binary(series)
        self._token_ttl = token_ttl
        self._token = ""
        self._context: ssl.SSLContext | None = None
        if tls:
            self.authority = Authority(self.folder / "pki")
            self.server = self.authority.sign("server", days=days)
            self.client = self.authority.sign("client", "/O=lab")
            self._context = ssl.create_default_context(cafile=str(self.authority.ca))
            self._context.load_cert_chain(*self.client)
            if days < 1:
                self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    @property
    def endpoints(self) -> list[str]:
        """The client URLs of all members, in their order."""
        return [f"{'https' if self.tls else 'http'}://{self.place}:{port}" for port in self._ports]

    def _command(self, member: int) -> list[str | Path]:
        peers = [f"http://{self.place}:{port + 1}" for port in self._ports]
        options = {
            "name": f"m{member}",
            "data-dir": self.folder / f"m{member}",
            "listen-client-urls": self.endpoints[member],
            "advertise-client-urls": self.endpoints[member],
            "listen-peer-urls": peers[member],
            "initial-advertise-peer-urls": peers[member],
            "initial-cluster": ",".join(f"m{number}={peer}" for number, peer in enumerate(peers)),
            "initial-cluster-token": self.folder.name,
            "heartbeat-interval": "100",
            "election-timeout": "1000",
            "logger": "zap",
            "log-level": "warn",
            "unsafe-no-fsync": "",
            "auth-token-ttl": self._token_ttl,
        }
        if self.series == "3.4":
            del options["unsafe-no-fsync"]  # new in 3.5
        if self.tls:
            options |= {"cert-file": self.server[0], "key-file": self.server[1]}
        if self.tls == "mutual":
            options |= {"client-cert-auth": "", "trusted-ca-file": self.authority.ca}
        return [
            self._program,
            *(f"--{name}={value}" if value != "" else f"--{name}" for name, value in options.items()),
        ]

    def leader(self) -> int:
        """Return the number of the member that leads now."""

        def found() -> int | None:
            for member in self._running:
                status = self.ask("maintenance/status", {}, member)
                if status.get("leader") == status["header"]["member_id"]:
                    return member + 1
            return None

        number = until(found, what="a member leads")
        assert number
        return number - 1

    def ask(self, path: str, document: dict[str, Any], member: int | None = None) -> Any:
        """POST to the gateway of a member (of one that runs) and return its answer; OSError says what went wrong."""
        port = self._ports[next(iter(self._running)) if member is None else member]
        if self._context:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self.place, port, timeout=5, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self.place, port, timeout=5)
        try:
            connection.request("POST", f"/v3/{path}", json.dumps(document), self._headers())
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if response.status != 200:
            raise OSError(f"etcd answers {path} with {response.status} {body.decode()}")
        return json.loads(body)

    def keys(self, prefix: str = "/") -> dict[str, str]:
        """Return what is stored under a prefix."""
        return {_read(pair["key"]): _read(pair.get("value", "")) for pair in self._range(prefix)}

    def revisions(self, prefix: str = "/") -> dict[str, int]:
        """Return when each key under a prefix was last written."""
        return {_read(pair["key"]): int(pair["mod_revision"]) for pair in self._range(prefix)}

    def _range(self, prefix: str) -> list[dict[str, str]]:
        asked = {"key": _wire(prefix), "range_end": _wire(prefix[:-1] + chr(ord(prefix[-1]) + 1))}
        found: list[dict[str, str]] = self.ask("kv/range", asked).get("kvs", [])
        return found

    def put(self, key: str | bytes, value: str | bytes, *, lease: str = "0", member: int | None = None) -> int:
        """Store a value; return the revision."""
        asked = {"key": _wire(key), "value": _wire(value), "lease": lease}
        return int(self.ask("kv/put", asked, member)["header"]["revision"])

    def lend(self, key: str, value: str, ttl: int) -> str:
        """Store a value under a lease of its own, that nobody renews; return the lease's id."""
        lease = str(self.ask("lease/grant", {"TTL": ttl})["ID"])
        self.put(key, value, lease=lease)
        return lease

    def delete(self, key: str) -> None:
        """Remove a key."""
        self.ask("kv/deleterange", {"key": _wire(key)})

    def clear(self) -> None:
        """Remove every key."""
        self.ask("kv/deleterange", {"key": _wire("\0"), "range_end": _wire("\0")})

    def compact(self) -> None:
        """Forget the history up to now."""
        revision = self.ask("kv/range", {"key": _wire("/")})["header"]["revision"]
        self.ask("kv/compaction", {"revision": revision, "physical": True})

    def leases(self) -> list[str]:
        """Return the ids of all leases."""
        return [lease["ID"] for lease in self.ask("lease/leases", {}).get("leases", [])]

    def rest_of(self, lease: str) -> int:
        """Return the whole seconds a lease still has."""
        return int(self.ask("lease/timetolive", {"ID": lease}).get("TTL", 0))

    def secure(self, password: str, *, users: dict[str, tuple[str, str]] | None = None) -> None:
        """Turn authentication on: `root` has `password`; `users` are name -> (password, prefix it may use)."""
        self.ask("auth/user/add", {"name": "root", "password": password})
        self.ask("auth/role/add", {"name": "root"})
        self.ask("auth/user/grant", {"user": "root", "role": "root"})
        for name, (secret, prefix) in (users or {}).items():
            end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            rights = {"permType": "READWRITE", "key": _wire(prefix), "range_end": _wire(end)}
            self.ask("auth/user/add", {"name": name, "password": secret})
            self.ask("auth/role/add", {"name": name})
            self.ask("auth/role/grant", {"name": name, "perm": rights})
            self.ask("auth/user/grant", {"user": name, "role": name})
        self.ask("auth/enable", {})
        self.authenticate(password)

    def authenticate(self, password: str) -> None:
        """Let `ask` and all that is built on it speak as root (again: tokens do not survive a restart)."""
        self._token = ""
        self._token = self.ask("auth/authenticate", {"name": "root", "password": password})["token"]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._token} if self._token else {}

    def _is_healthy(self, member: int) -> bool:
        try:
            self.ask("kv/range", {"key": _wire("health")}, member)
        except OSError as error:
            if "auth token" not in str(error) and "user name is empty" not in str(error):
                raise
        return True


def _wire(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def _read(text: str) -> str:
    return b64decode(text).decode()
