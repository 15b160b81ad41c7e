"""A real nameserver: Debian's Knot DNS, authoritative for `test`, its records changed while it runs.

with Dns() as dns:
    dns.put("web.test", "A", "10.0.0.1", "10.0.0.2")
    print(dns.where)

(For what no good nameserver does there is `dns_odd`.)
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import dns.exception
import dns.query
import dns.rcode
import dns.update

from tests.lab import packages, ports
from tests.lab.waiting import until

ZONE = "test"


def binary() -> Path:
    """Return knotd, fetched and unpacked on first use."""
    return packages.tree("knot-3", "bookworm", ["knot"], patch=["usr/sbin/knotd"]) / "usr/sbin/knotd"


class Dns:
    """One nameserver on a port of loopback. `udp`: bytes of a UDP answer, 1232 to 4096; more needs TCP."""

    def __init__(self, *, udp: int = 4096, port: int = 0, address: str = "127.0.0.1") -> None:
        self.address = address
        self.port = port or ports.free()
        self.folder = Path(tempfile.gettempdir()) / f"longshore-lab-{secrets.token_hex(4)}"
        self.folder.mkdir()
        (self.folder / "owner").write_text(str(os.getpid()))
        self._udp = udp
        self._program = binary()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def where(self) -> str:
        """Its address with the port."""
        return f"{self.address}:{self.port}"

    def __enter__(self) -> Dns:
        """Start with a zone that has no names."""
        (self.folder / "db").mkdir()
        (self.folder / "zone").write_text(
            f"@ 1 SOA ns.{ZONE}. root.{ZONE}. 1 60 60 60 1\n@ 1 NS ns\nns 1 A 127.0.0.1\n"
        )
        (self.folder / "knot.conf").write_text(f"""\
server:
    listen: {self.address}@{self.port}
    rundir: {self.folder}
    udp-max-payload: {self._udp}
database:
    storage: {self.folder}/db
acl:
  - id: here
    address: 127.0.0.0/8
    action: update
zone:
  - domain: {ZONE}
    storage: {self.folder}
    file: zone
    acl: here
    zonefile-sync: 0
""")
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it and remove its data."""
        self.close()

    def start(self) -> None:
        """Start it with the records it has."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", self._program, "-c", self.folder / "knot.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._answers, what=f"knotd answers: {self.folder}/log")

    def stop(self) -> None:
        """End it at once: questions are refused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and remove its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, name: str, kind: str, *records: str, ttl: int = 1) -> None:
        """Replace the records of a name and type."""
        update = dns.update.UpdateMessage(ZONE)
        label = name.removesuffix(f".{ZONE}")
        update.delete(label, kind)
        for record in records:
            update.add(label, ttl, kind, record)
        self._send(update)

    def drop(self, name: str) -> None:
        """Let a name no longer exist."""
        update = dns.update.UpdateMessage(ZONE)
        update.delete(name.removesuffix(f".{ZONE}"))
        self._send(update)

    def _send(self, update: dns.update.UpdateMessage) -> None:
        answer = dns.query.tcp(update, self.address, 10, self.port)
        assert answer.rcode() == dns.rcode.NOERROR, answer

    def _answers(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"knotd ended:\n{(self.folder / 'log').read_text()}")
        try:
            answer = dns.query.udp(dns.message.make_query(ZONE, "SOA"), self.address, 1, self.port)
        except dns.exception.Timeout:
            return False
        return answer.rcode() == dns.rcode.NOERROR
