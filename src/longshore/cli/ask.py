"""Asking the running agent: its HTTP API over the unix socket in its state directory. Blocking."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from longshore.cli.ending import FINDING, UNREACHABLE, USAGE, End

SOCKET, REGISTER_SOCKET = "longshore.sock", "register.sock"  # of the balancer, and of a registrar of its own
ROOTS_STATE = Path("/var/lib/longshore")
DEFAULT_CONFIG = Path("/etc/longshore/longshore.yaml")
PATIENCE = 30.0  # seconds for an answer that waits for nothing


class Ask:
    """The agent behind one socket. Raises `End` when it does not answer, or refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_there(self) -> bool:
        """Whether somebody listens, or at least we may not see whether."""
        connection = _Connection(self.path, 1.0)
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError:
            return True
        finally:
            connection.close()
        return True

    def get(self, path: str, query: Mapping[str, object] | None = None, *, timeout: float = PATIENCE) -> Any:
        """Ask for something."""
        return self._ask("GET", _with(path, query), None, timeout)

    def post(self, path: str, body: Mapping[str, object], *, timeout: float = 2 * PATIENCE) -> Any:
        """Ask to do something."""
        return self._ask("POST", path, json.dumps(body), timeout)

    def follow(self, path: str, query: Mapping[str, object]) -> Iterator[Any]:
        """Yield the events of a stream until the agent ends it."""
        with (
            self._answer("GET", _with(path, query), None, None) as response,
            suppress(OSError, http.client.HTTPException),
        ):
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def _ask(self, method: str, path: str, body: str | None, timeout: float) -> Any:
        with self._answer(method, path, body, timeout) as response:
            try:
                return json.loads(response.read())
            except TimeoutError:
                raise self._silent(timeout) from None
            except (OSError, http.client.HTTPException, ValueError):
                raise End(UNREACHABLE, f"the agent at {self.path} gave half an answer", "has it just ended?") from None

    @contextmanager
    def _answer(
        self, method: str, path: str, body: str | None, timeout: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = _Connection(self.path, timeout)
        response = None
        try:
            try:
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                response = connection.getresponse()
            except TimeoutError:
                raise self._silent(timeout or 0.0) from None
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from None
            if response.status >= 400:
                raise _refusal(response)
            yield response
        finally:
            if response is not None:
                response.close()
            connection.close()

    def _silent(self, timeout: float) -> End:
        return End(UNREACHABLE, f"the agent at {self.path} gave no answer in {timeout:g} s", "its log may say why")

    def _unreachable(self, error: Exception) -> End:
        what = f"no longshore agent answers at {self.path}"
        if isinstance(error, PermissionError):
            return End(UNREACHABLE, f"no permission to open {self.path}", "use sudo, or the agent's user")
        if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
            elsewhere = ROOTS_STATE / SOCKET
            if os.geteuid() != 0 and elsewhere != self.path and os.path.lexists(elsewhere):
                return End(UNREACHABLE, what, f"one of root runs at {ROOTS_STATE}: use sudo")
            hint = "start one (`longshore up`, `longshore register`), or name its state directory with --state-dir"
            return End(UNREACHABLE, what, hint)
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return End(UNREACHABLE, f"{what}: {reason}", "name its state directory with --state-dir")


def agent(state_dir: Path | None, config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Ask:
    """Find the agent: of the state directory as said, else of the environment, else of the configuration.

    It is the balancer; where only a registrar answers, that.
    """
    return agents(state_dir, config, environ)[0]


def agents(state_dir: Path | None, config: Path | None = None, environ: Mapping[str, str] = os.environ) -> list[Ask]:
    """Find the balancer and the registrar, those that answer; if none does, where the balancer should."""
    folder = state_dir or state_dir_of(config, environ)
    balancer, registrar = Ask(folder / SOCKET), Ask(folder / REGISTER_SOCKET)
    if not os.path.lexists(registrar.path):
        return [balancer]
    return [ask for ask in (balancer, registrar) if ask.is_there] or [balancer]


def state_dir_of(config: Path | None, environ: Mapping[str, str]) -> Path:
    """Where the agent's state is. The configuration is read only if there is one: that takes its time."""
    if environ.get("LONGSHORE_STATE_DIR"):
        return Path(environ["LONGSHORE_STATE_DIR"])
    if config or environ.get("LONGSHORE_CONFIG") or os.path.lexists(DEFAULT_CONFIG):
        from longshore.config import load

        loaded = load(config, environ)
        if loaded.valid is not None:
            return loaded.valid.state_dir
        if loaded.path and not os.path.lexists(loaded.path):  # mistyped: another agent may be meant
            raise End(FINDING, f"{loaded.path} does not exist", "see `longshore check`, or say --state-dir")
        if written := _as_written(loaded.path):
            return written
    if os.geteuid() == 0:
        return ROOTS_STATE
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "longshore"


def _as_written(path: Path | None) -> Path | None:
    """What a configuration with problems says all the same: the agent runs on by its last good one."""
    from longshore.config.document import read

    data = read(path).data if path else None
    said = data.get("state-dir") if isinstance(data, dict) else None
    return path.absolute().parent / said if path and isinstance(said, str) and said else None


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("longshore", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(os.fspath(self._path))
        except BaseException:
            self.sock.close()
            raise


def _with(path: str, query: Mapping[str, object] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _refusal(response: http.client.HTTPResponse) -> End:
    try:
        answer = json.loads(response.read())
        what, hint = str(answer["error"]), str(answer.get("hint", ""))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        what, hint = f"the agent answered {response.status} {response.reason}", "is it of another version?"
    return End(USAGE if response.status == 400 else FINDING, what, hint)
