"""Real Consul agents: Debian's 1.8, one server or three, and client agents as they run on every host.

    with Consul(size=3, clients=1) as consul:
        print(consul.address(3))
        consul.kill(consul.leader())

All listen on loopback, and on a unix socket each, and end with the process that started them.
"""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode

from tests.lab import packages
from tests.lab.authority import Authority
from tests.lab.cluster import Cluster
from tests.lab.waiting import until

Tls = Literal["", "server", "mutual"]
ROOT = "8b1f4ae2-0000-4000-8000-000000000000"
"""The token that may do everything, where tokens are asked for."""


def binary() -> Path:
    """Return the program, fetched and unpacked on first use."""
    return packages.tree("consul-1.8", "bullseye", ["consul"]) / "usr" / "bin" / "consul"


class Consul(Cluster):
    """`size` servers and then `clients` agents that are none, numbered from 0. `acl`: all is denied without a token.

    `tls` "mutual" demands a client certificate. `authority` signed the agents' (`ca`), and a client's (`client`).
    """

    name = "Consul"

    def __init__(self, *, size: int = 1, clients: int = 0, acl: bool = False, tls: Tls = "", days: int = 30) -> None:
        """`days` is how long the agents' certificates are good; 0 makes one that has expired."""
        super().__init__(size + clients, each=3)
        self.servers, self.tls, self.acl = size, tls, acl
        self._program = binary()
        self._context: ssl.SSLContext | None = None
        if tls:
            self.authority = Authority(self.folder / "pki")
            self.certificate = self.authority.sign("server", days=days)
            self.client = self.authority.sign("client")
            self._context = ssl.create_default_context()
            self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
            self._context.load_cert_chain(*self.client)

    def address(self, member: int = 0) -> str:
        """Return the URL of an agent."""
        return f"{'https' if self.tls else 'http'}://{self.place}:{self._ports[member]}"

    def socket(self, member: int = 0) -> str:
        """Return the URL of an agent's unix socket; it is there without TLS only."""
        return f"unix://{self.folder}/{member}.sock"

    def leader(self) -> int:
        """Return the number of the server that leads now."""

        def found() -> int | None:
            leads = self.ask("GET", "status/leader").rpartition(":")[2]
            return next((m + 1 for m in self.running if str(self._ports[m] + 2) == leads), None)

        number = until(found, what="a server leads")
        assert number
        return number - 1

    def forget(self, member: int) -> None:
        """Remove the data of an agent that does not run."""
        shutil.rmtree(self.folder / f"n{member}")

    def ask(self, method: str, path: str, body: Any = None, *, member: int | None = None, **query: str) -> Any:
        """Ask an agent (one that runs) under /v1/ and return its answer; OSError says what went wrong."""
        text = self.raw(method, path, body, member=member, **query)
        return json.loads(text) if text.strip() else None

    def raw(self, method: str, path: str, body: Any = None, *, member: int | None = None, **query: str) -> bytes:
        """Do what `ask` does, for answers that are not JSON."""
        port = self._ports[self.running[0] if member is None else member]
        connection: http.client.HTTPConnection
        if self._context:
            connection = http.client.HTTPSConnection(self.place, port, timeout=10, context=self._context)
        else:
            connection = http.client.HTTPConnection(self.place, port, timeout=10)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        target = f"/v1/{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        try:
            connection.request(method, target, sent, {"X-Consul-Token": ROOT} if self.acl else {})
            response = connection.getresponse()
            answer = response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if response.status != 200:
            raise OSError(f"Consul answers {path} with {response.status} {answer.decode()}")
        return answer

    def register(self, identity: str, name: str, port: int, *, member: int = 0, **more: Any) -> None:
        """Register a service at an agent, as anybody might; `more` are further fields: Tags, Meta, Check."""
        body = {"ID": identity, "Name": name, "Address": "127.0.0.1", "Port": port} | more
        self.ask("PUT", "agent/service/register", body, member=member)

    def deregister(self, identity: str, *, member: int = 0) -> None:
        """Remove a service from an agent."""
        self.ask("PUT", f"agent/service/deregister/{identity}", member=member)

    def put(self, key: str, value: str | bytes) -> None:
        """Store a value."""
        self.ask("PUT", f"kv/{key}", value.encode() if isinstance(value, str) else value)

    def delete(self, key: str) -> None:
        """Remove a key."""
        self.ask("DELETE", f"kv/{key}")

    def keys(self, prefix: str = "") -> dict[str, str]:
        """Return what is stored under a prefix."""
        try:
            found = self.ask("GET", f"kv/{prefix}", recurse="")
        except OSError as error:
            if "404" in str(error):
                return {}
            raise
        return {pair["Key"]: b64decode(pair["Value"] or "").decode() for pair in found}

    def checks(self) -> dict[str, dict[str, Any]]:
        """Return the checks of services in the catalog, as everybody sees them, by their ID."""
        found = self.ask("GET", "health/state/any")
        return {check["CheckID"]: check for check in found if check["ServiceID"]}

    def token(self, rules: str) -> str:
        """Make a token that may do what `rules` say, and return it."""
        name = f"p{len(self.ask('GET', 'acl/policies'))}"
        self.ask("PUT", "acl/policy", {"Name": name, "Rules": rules})
        made: str = self.ask("PUT", "acl/token", {"Policies": [{"Name": name}]})["SecretID"]
        return made

    def _command(self, member: int) -> list[str | Path]:
        http_port, lan, server = (self._ports[member] + number for number in range(3))
        listens = "https" if self.tls else "http"
        settings: dict[str, Any] = {
            "node_name": f"n{member}",
            "data_dir": str(self.folder / f"n{member}"),
            "bind_addr": self.place,
            "addresses": {listens: self.place if self.tls else f"{self.place} {self.socket(member)}"},
            "ports": {"http": -1, "https": -1, "dns": -1, "grpc": -1, "serf_wan": -1}
            | {listens: http_port, "serf_lan": lan, "server": server},
            "retry_join": [f"{self.place}:{ports + 1}" for ports in self._ports[: self.servers]],
            "retry_interval": "1s",
            "disable_update_check": True,
            "disable_remote_exec": True,
            "performance": {"raft_multiplier": 1},
            "leave_on_terminate": False,
            "skip_leave_on_interrupt": True,
            "log_level": "warn",
        }
        if member < self.servers:
            settings |= {"server": True, "bootstrap_expect": self.servers}
        if self.acl:
            tokens = {"master": ROOT, "agent": ROOT}
            settings["acl"] = {"enabled": True, "default_policy": "deny", "tokens": tokens}
        if self.tls:
            settings |= {"cert_file": str(self.certificate[0]), "key_file": str(self.certificate[1])}
            settings |= {"ca_file": str(self.authority.ca), "verify_incoming_https": self.tls == "mutual"}
        file = self.folder / f"{member}.json"
        file.write_text(json.dumps(settings))
        return [self._program, "agent", "-config-file", file]

    def _is_healthy(self, member: int) -> bool:
        """A leader is there, and has taken this agent in."""
        if not self.ask("GET", "status/leader", member=member):
            return False
        return any(node["Node"] == f"n{member}" for node in self.ask("GET", "catalog/nodes", member=member))
