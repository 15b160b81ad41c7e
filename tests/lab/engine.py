"""A Docker engine of our own: a real dockerd with its own data, socket, bridge and addresses, gone without a trace.

    with Engine() as engine:
        web = engine.run(name="web-1", labels={"longshore.host": "a.test"})
        print(web.address)

`python -m tests.lab.engine sweep` ends and removes what dead runs left behind.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import packages
from tests.lab.engine_client import BARE, WEB, EngineClient
from tests.lab.remains import end_family, family, is_gone, remove_folder, sweep
from tests.lab.waiting import until

__all__ = ["BARE", "PREFIX", "WEB", "Engine", "newest_docker"]
PREFIX = "longshore-lab-"
_numbers = itertools.count()


def newest_docker() -> Path:
    """Return the folder of an unpacked Docker 28 or newer, Debian sid's docker.io, for `Engine(tree=…)`."""
    wanted = ["docker.io", "docker-cli", "containerd", "runc", "tini-static"]
    return packages.tree("docker-newest", "sid", wanted, patch=["usr/sbin/runc"])


class Engine(EngineClient):
    """One dockerd. `settings` go into its daemon.json; `env` into its environment; `tree` holds another version;
    `hosts` are more addresses that it answers on, like "tcp://127.0.0.1:2375".

    Without `iptables` it shares a network with other engines safely (published ports go through docker-proxy, addresses
    on the bridge are reachable from this machine); with it, it must be the only engine of its network namespace.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        tree: Path | None = None,
        hosts: Sequence[str] = (),
        iptables: bool = False,
        live_restore: bool = False,
    ) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(4)}"
        self.folder.mkdir(mode=0o711)
        (self.folder / "owner").write_text(str(os.getpid()))
        self.log = self.folder / "log"
        path = ([f"{tree}/usr/sbin", f"{tree}/usr/bin"] if tree else []) + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        path += [each for each in os.environ["PATH"].split(":") if each not in path]
        super().__init__(self.folder / "docker.sock", {**(env or {}), "PATH": ":".join(path)})
        self._process: subprocess.Popen[bytes] | None = None
        self.bridge, network = _free_network()
        (self.folder / "bridge").write_text(self.bridge)
        self.gateway = str(network[1])  # this machine's address on the bridge
        self._settings = {
            "hosts": [self.host, *hosts],
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "pid"),
            "bridge": self.bridge,
            "default-address-pools": [{"base": str(network.supernet(new_prefix=16)), "size": 24}],
            "iptables": iptables,
            "ip6tables": False,
            "live-restore": live_restore,
            "containerd-namespace": self.folder.name,
            "containerd-plugins-namespace": f"{self.folder.name}-plugins",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/{self.folder.name}",
            "shutdown-timeout": 15,
            **(settings or {}),
        }

    def __enter__(self) -> Engine:
        """Start it."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it and everything it runs, and remove its data."""
        self.close()

    def start(self) -> None:
        """Start dockerd; wait until it answers and has the web image. Containers start by their restart policy."""
        if subprocess.run(["ip", "link", "show", self.bridge], capture_output=True, check=False).returncode:
            _ip("link", "add", self.bridge, "type", "bridge")
            _ip("addr", "add", f"{self.gateway}/24", "dev", self.bridge)
            _ip("link", "set", self.bridge, "up")
        config = self.folder / "daemon.json"
        config.write_text(json.dumps(self._settings, indent=1))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["dockerd", "--config-file", config],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        until(self._answers, 60, f"the engine answers (its log: {self.log})")
        if not self.api.get("/images/json"):
            self.load(WEB, "EXPOSE 8000")
            self.load(BARE)

    def _answers(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"dockerd ended with {self._process.returncode}:\n{self.log.read_text()[-3000:]}")
        return self.api.ping()

    @property
    def pid(self) -> int:
        """The process id of dockerd."""
        assert self._process, "the engine was not started"
        return self._process.pid

    def stop(self) -> None:
        """End dockerd politely: its containers are stopped, with live-restore they run on."""
        self._end(kill=False)

    def kill9(self) -> None:
        """Kill dockerd, as a crash would. Containers live on until it is started again."""
        self._end(kill=True)

    def restart(self) -> None:
        """Stop, then start."""
        self.stop()
        self.start()

    def _end(self, *, kill: bool) -> None:
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait(60)
            self._process = None
            self._end_containerd()
        self.socket.unlink(missing_ok=True)

    def _end_containerd(self) -> None:
        """Kill the containerd that a killed dockerd leaves; not reaped, it would look alive to the next dockerd."""
        pidfile = self.folder / "exec" / "containerd" / "containerd.pid"
        if pidfile.exists():
            pid = int(pidfile.read_text())
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            until(lambda: is_gone(pid), what=f"containerd {pid} ends")
            pidfile.unlink()

    def close(self) -> None:
        """End everything that belongs to this engine, by process id, and remove what it kept on disk."""
        if self._process is not None and self._process.poll() is None:
            self.reset()
        self._end(kill=True)
        end_family(self.folder.name)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True, check=False)
        data = str(self._settings["data-root"])
        subprocess.run(["umount", data], capture_output=True, check=False)  # dockerd mounts it upon itself
        remove_folder(self.folder)

    def processes(self) -> list[int]:
        """Return the ids of all processes that belong to this engine."""
        return sorted(family(self.folder.name))

    def network(self, name: str, *options: str) -> str:
        """Create a network and return its id."""
        return self.docker("network", "create", *options, name)

    def reset(self) -> None:
        """Remove all containers, and the networks that tests made."""
        for container in self.containers():
            container.rm()
        for network in self.api.get("/networks"):
            if network["Name"] not in {"bridge", "host", "none"}:
                self.api.delete(f"/networks/{network['Id']}")


def _free_network() -> tuple[str, ipaddress.IPv4Network]:
    """Find a /16 of private addresses that nothing here routes to, and a name for its bridge."""
    routed = [
        ipaddress.IPv4Network(words[0], strict=False)
        for line in _ip("-4", "route", "show").splitlines()
        if (words := line.split()) and words[0] != "default" and words[0][0].isdigit()
    ]
    for _ in range(100):
        number = (os.getpid() + next(_numbers)) % 100
        wanted = ipaddress.IPv4Network(f"10.{100 + number}.0.0/16")
        if not any(wanted.overlaps(other) for other in routed):
            return f"lab{os.getpid() % 100000}.{number}", next(wanted.subnets(new_prefix=24))
    raise RuntimeError("no free 10.100.0.0/16 … 10.199.0.0/16 for an engine of the lab: see `ip route`")


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    if sys.argv[1:] != ["sweep"]:
        sys.exit("usage: python -m tests.lab.engine sweep   (ends and removes what dead runs left behind)")
    if shutil.which("ip") is None:
        sys.exit("ip is missing (package iproute2)")
    for folder in sweep(PREFIX):
        print(f"removed {folder}")  # noqa: T201 - a command for people
