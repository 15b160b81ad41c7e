"""A real `longshore up` with a real HAProxy, on a free port, with a state directory of its own.

with Balancer(engine=engine, series="3.4") as balancer:
    engine.run(labels={"longshore.host": "a.test"})
    balancer.serves("a.test", 1)
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from tests.lab import ports
from tests.lab.binaries import haproxy
from tests.lab.engine import PREFIX
from tests.lab.engine_api import UnixConnection
from tests.lab.engine_client import EngineClient
from tests.lab.remains import end_family
from tests.lab.waiting import until

LONGSHORE = Path(sys.executable).with_name("longshore")


@dataclass(frozen=True)
class Answer:
    """What came back for one request. `who` is the web service's name, "" when HAProxy answered itself."""

    status: int
    who: str
    text: str
    headers: Mapping[str, str]


class Balancer:
    """One agent and its HAProxy. `config` is laid over the lab's own configuration, section by section."""

    address = "127.0.0.1"  # where this process reaches its frontends

    COMMAND, SOCKET = "up", "longshore.sock"

    def __init__(
        self,
        *,
        engine: EngineClient | None = None,
        series: str = "3.4",
        binary: Path | None = None,
        port: int = 0,
        config: Mapping[str, Any] | None = None,
        options: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.folder.chmod(0o755)
        (self.folder / "owner").write_text(str(os.getpid()))
        self.state = self.folder / "state"
        self.config = self.folder / "longshore.yaml"
        self.port = port or ports.free()
        self.log = self.folder / "log"
        self._options = options
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("LONGSHORE_")} | dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, Any] = {
            "frontends": {"http": f":{self.port}"},
            "admin": {"bind": f"127.0.0.1:{ports.free()}"},
            "state-dir": str(self.state),
            "haproxy": {"binary": str(binary or haproxy(series)), "hard-stop-after": "20s"},
            "sources": {"docker": {"host": engine.host}} if engine else {},
        }
        self.configure(config or {})

    def configure(self, config: Mapping[str, Any]) -> None:
        """Lay `config` over the settings (None removes a key) and write the file; the agent is not told."""
        for section, value in config.items():
            if isinstance(value, Mapping) and isinstance(self.settings.get(section), dict):
                self.settings[section] = {**self.settings[section], **value}
            else:
                self.settings[section] = value
        written = {key: value for key, value in self.settings.items() if value is not None}
        self.config.write_text(json.dumps(written, indent=2) + "\n")  # JSON is YAML

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it with its HAProxy, by process id."""
        self.close()

    def start(self, *, ready: bool = True) -> None:
        """Start `longshore up`; unless told otherwise, wait until HAProxy runs what the sources said."""
        with self.log.open("ab") as log:
            self._process = self._spawn([LONGSHORE, self.COMMAND, *self._arguments()], log)
        if ready:
            try:
                until(self._is_ready, 30, "longshore is ready")
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.log_text()}") from None

    def _arguments(self) -> list[str | Path]:
        return ["--config", self.config, *self._options]

    def _spawn(self, command: Sequence[str | Path], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self._env,
            start_new_session=True,
            cwd=self.folder,
        )

    def _is_ready(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"longshore ended with {self._process.returncode}:\n{self.log_text()}")
        return bool(self.status()["ready"])

    def log_text(self) -> str:
        """Return what it printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def pid(self) -> int:
        """The process id of longshore."""
        assert self._process, "longshore was not started"
        return self._process.pid

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        return self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """Kill longshore, as a crash would; HAProxy lives on. `start` brings it back."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send longshore a signal, e.g. SIGHUP to read the file again."""
        os.kill(self.pid, number)

    def _end(self, number: signal.Signals) -> int:
        assert self._process, "longshore was not started"
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(40)
        self._process = None
        return code

    def close(self) -> None:
        """End longshore and every HAProxy it started, by process id, and remove its folder."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        end_family(self.folder.name, ("haproxy",))
        shutil.rmtree(self.folder, ignore_errors=True)

    def api(self, target: str, method: str = "GET", body: object = None) -> Any:
        """Ask the agent over its unix socket and return its JSON answer, errors too."""
        connection = UnixConnection(self.state / self.SOCKET)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, target, text, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {target}: {error!r}") from error
        finally:
            connection.close()

    def status(self) -> Any:
        """Return the agent's whole status (`longshore status --json`)."""
        return self.api("/v1/status")

    def service(self, name: str) -> Any:
        """Return one service of the status; {} when there is none."""
        return next((service for service in self.status()["services"] if service["name"] == name), {})

    def until(self, condition: Callable[[Any], object], what: str = "", deadline: float = 30) -> Any:
        """Wait until `condition` holds for the status, and return that status."""
        found: list[Any] = []

        def met() -> bool:
            found[:] = [self.status()]
            return bool(condition(found[0]))

        until(met, deadline, what or "the status is as expected")
        return found[0]

    def until_up(self, service: str, count: int) -> Any:
        """Wait until exactly `count` endpoints of the service get traffic; return the service."""

        def up(status: Any) -> bool:
            services = [each for each in status["services"] if each["name"] == service]
            return len([end for each in services for end in each["endpoints"] if end["state"] == "up"]) == count

        self.until(up, f"{service} has {count} endpoints up")
        return self.service(service)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another longshore command against this agent."""
        env = {**self._env, "LONGSHORE_STATE_DIR": str(self.state), "NO_COLOR": "1", "COLUMNS": "160"}
        return subprocess.run([LONGSHORE, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)

    def request(
        self,
        host: str = "localhost",
        path: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        port: int = 0,
        timeout: float = 15,
    ) -> Answer:
        """Make one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Host": host, "Connection": "close", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {host}{path}: {error!r}") from error
        finally:
            connection.close()
        found = {key.lower(): value for key, value in answer.getheaders()}
        return Answer(answer.status, found.get("x-who", ""), text, found)

    def serves(self, host: str, count: int, path: str = "/", port: int = 0) -> set[str]:
        """Wait until exactly `count` different web services answer for the host in turn; return their names."""

        def answering() -> set[str]:
            answers = [self.request(host, path, port=port) for _ in range(3 * max(count, 1))]
            assert all(answer.status == 200 for answer in answers), {answer.status for answer in answers}
            return {answer.who for answer in answers}

        found = until(lambda: (names := answering()) and len(names) == count and names, 30, f"{host} by {count}")
        assert isinstance(found, set)
        return found

    def runtime(self, command: str) -> str:
        """Send one command to HAProxy's runtime socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.state / "haproxy" / "haproxy.sock"))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    @property
    def worker(self) -> int:
        """The process id of HAProxy's present worker: another one after a reload."""
        lines = dict(line.split(": ", 1) for line in self.runtime("show info").splitlines() if ": " in line)
        return int(lines["Pid"])

    @property
    def reloads(self) -> int:
        """How many reloads the agent did since it started."""
        return int(self.status()["haproxy"]["reloads"])
