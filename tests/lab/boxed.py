"""longshore in a container of a lab engine, from its own image, as its users run it.

boxed = Boxed(engine, mount=engine.socket)
boxed.serves("a.test", 1)
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.lab.balancer import Answer
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.engine_api import UnixConnection
from tests.lab.image import LONGSHORE, archive
from tests.lab.waiting import until

HARDENED = ("--read-only", "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--security-opt", "no-new-privileges")
STATE = "var/lib/longshore"


def load(engine: Engine) -> str:
    """See that the engine has the image, and return its name."""
    if not engine.api.get(f'/images/json?filters={{"reference":["{LONGSHORE}"]}}'):
        engine.docker("load", "--input", str(archive()))
    return LONGSHORE


class Boxed:
    """One such container. It may open the engine's socket, as far as that is mounted: the lab's belongs to root."""

    def __init__(
        self,
        engine: Engine,
        *,
        args: Iterable[str] = HARDENED,
        env: Mapping[str, object] | None = None,
        command: Iterable[str] = (),
        ready: bool = True,
    ) -> None:
        mount = ("--volume", f"{engine.socket}:/var/run/docker.sock", "--group-add", str(engine.socket.stat().st_gid))
        image = load(engine)
        self.container = engine.run("longshore", image=image, env=env, args=(*mount, *args), command=command)
        self.engine = engine
        if ready:
            self.until_ready()

    @classmethod
    def of(cls, container: Container, engine: Engine) -> Boxed:
        """Take one that somebody else started."""
        made = cls.__new__(cls)
        made.container, made.engine = container, engine
        made.until_ready()
        return made

    def until_ready(self) -> None:
        """Wait until HAProxy runs what the sources said."""
        until(lambda: self.status()["ready"], what=f"longshore in a container is ready; its log:\n{self.log()}")

    @property
    def address(self) -> str:
        """Its address on its network, or this machine's when it has none of its own."""
        return next(iter(self.container.networks().values()), "") or "127.0.0.1"

    def log(self) -> str:
        """Return what it printed so far."""
        raw = self.engine.api.call("GET", f"/containers/{self.container.id}/logs?stdout=1&stderr=1")
        return raw.decode(errors="replace")

    def inside(self, *command: str) -> str:
        """Run a command in the container and return what it printed."""
        return self.engine.docker("exec", self.container.id, *command)

    def status(self) -> Any:
        """Return the agent's whole status, asked on its socket."""
        connection = UnixConnection(Path(f"/proc/{self.container.pid}/root/{STATE}/longshore.sock"))
        try:
            connection.request("GET", "/v1/status")
            return json.loads(connection.getresponse().read())
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        finally:
            connection.close()

    def busy(self) -> bool:
        """Tell whether HAProxy has a client connected."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(f"/proc/{self.container.pid}/root/{STATE}/haproxy/haproxy.sock")
            connection.sendall(b"show info\n")
            said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)["CurrConns"] != "0"

    def until_up(self, service: str, count: int) -> None:
        """Wait until exactly `count` endpoints of the service get traffic."""

        def up() -> bool:
            found = [each for each in self.status()["services"] if each["name"] == service]
            return len([end for each in found for end in each["endpoints"] if end["state"] == "up"]) == count

        until(up, what=f"{service} has {count} endpoints up")

    def request(self, host: str = "localhost", path: str = "/", port: int = 80, address: str = "") -> Answer:
        """Make one request on a connection of its own."""
        connection = http.client.HTTPConnection(address or self.address, port, timeout=15)
        try:
            connection.request("GET", path, headers={"Host": host, "Connection": "close"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{host}{path}: {error!r}") from error
        finally:
            connection.close()
        found = {key.lower(): value for key, value in answer.getheaders()}
        return Answer(answer.status, found.get("x-who", ""), text, found)

    def serves(self, host: str, count: int, port: int = 80, address: str = "") -> set[str]:
        """Wait until exactly `count` different web services answer for the host in turn; return their names."""

        def answering() -> set[str]:
            answers = [self.request(host, port=port, address=address) for _ in range(3 * count)]
            assert all(answer.status == 200 for answer in answers), {answer.status for answer in answers}
            return {answer.who for answer in answers}

        found = until(lambda: (names := answering()) and len(names) == count and names, 30, f"{host} by {count}")
        assert isinstance(found, set)
        return found

    def processes(self, word: str) -> list[int]:
        """Return the ids, as the container sees them, of processes whose command line has that word, oldest first."""
        script = 'for p in /proc/[0-9]*; do echo "${p#/proc/} $(tr "\\0" " " <$p/cmdline)"; done'
        rows = (line.partition(" ") for line in self.inside("sh", "-c", script).splitlines())
        return sorted(int(pid) for pid, _, words in rows if word in words and "cmdline" not in words)
