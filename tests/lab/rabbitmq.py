"""A real RabbitMQ server (Debian's 3.10 with an Erlang of its own) on a free port of loopback.

with RabbitMQ() as rabbit:
    print(rabbit.port)
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.lab import packages, ports
from tests.lab.waiting import until

SUITE = "bookworm"
ERLANG = (
    *("base", "asn1", "crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools"),
    *("public-key", "runtime-tools", "ssl", "syntax-tools", "tools", "xmerl"),
)
QUIET = ("+W", "w", "+sbwt", "none")


def tree() -> Path:
    """Return the folder with RabbitMQ and Erlang, fetched and unpacked on first use."""
    return packages.tree("rabbitmq-3.10", SUITE, ["rabbitmq-server", *(f"erlang-{part}" for part in ERLANG)])


class RabbitMQ:
    """One server with its user guest. It ends with the process that started it."""

    def __init__(self) -> None:
        self.port = ports.free()
        self.folder = Path(tempfile.gettempdir()) / f"longshore-lab-{secrets.token_hex(4)}"
        self._mapper, self._distribution = ports.free(), ports.free()
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> RabbitMQ:
        """Start it and wait until it answers anything."""
        self.folder.mkdir()
        (self.folder / "owner").write_text(str(os.getpid()))
        erlang = tree() / "usr/lib/erlang"
        programs = next(erlang.glob("erts-*/bin"))
        try:
            self._start([programs / "epmd", "-port", str(self._mapper), "-address", "127.0.0.1"], erlang)
            boot: list[str | Path] = ["-noinput", "-boot", erlang / "bin/start_sasl", "-s", "rabbit", "boot"]
            alone = ["-kernel", "prevent_overlapping_partitions", "false"]
            until(self._mapper_answers, what="epmd answers")
            self._start([programs / "erlexec", *boot, *QUIET, *alone], erlang)
            until(self._answers, what=f"RabbitMQ answers (its log: {self.folder}/log)", deadline=60)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End it and remove its folder."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command: list[str | Path], erlang: Path) -> None:
        home = next((tree() / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
        programs = next(erlang.glob("erts-*/bin"))
        environ = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": self.folder,
            "ROOTDIR": erlang,
            "BINDIR": programs,
            "EMU": "beam",
            "PROGNAME": "erl",
            "ERL_LIBS": home / "plugins",
            "ERL_EPMD_PORT": self._mapper,
            "RABBITMQ_HOME": home,
            "RABBITMQ_NODENAME": "lab@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self._distribution,
            "RABBITMQ_MNESIA_BASE": self.folder / "db",
            "RABBITMQ_LOG_BASE": self.folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PLUGINS_DIR": home / "plugins",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": self.folder / "advanced",
        }
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={key: str(value) for key, value in environ.items()},
            )
        self._processes.append(process)

    def _mapper_answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self._mapper), timeout=5):
            return True

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"AMQP\0\0\x09\1")
            return connection.recv(1) == b"\1"
