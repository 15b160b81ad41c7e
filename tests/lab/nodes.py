"""Machines of a Swarm: each has its own network, processes, mounts and name, and a dockerd; all hang on one switch.

    with Machines(3) as machines:
        machines[0].docker("swarm", "init", …)

The switch is a network of its own too, so that no firewall of this machine sees what the machines say to each other.
This process reaches them at `node.address`. What is forgotten dies with this process (`--kill-child`, pdeathsig).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.lab.engine import PREFIX
from tests.lab.engine_client import BARE, WEB, EngineClient
from tests.lab.remains import end_family, is_gone, remove_folder
from tests.lab.waiting import until

_numbers = itertools.count()
NAMESPACES = ("--net", "--mount", "--uts", "--ipc", "--pid")
_INIT = """
hostname "$1"
mount --bind "$2/etc" /etc/docker; mount --make-rshared /
mount -t sysfs sysfs "$2/sys" && mount --rbind /sys/fs/cgroup "$2/sys/fs/cgroup" && mount --rbind "$2/sys" /sys
mount -t tmpfs tmpfs /run; mkdir -p /run/lock
trap : TERM INT; while :; do sleep 86400 & wait $!; done
"""
"""Process 1 of a machine: makes /sys, /run and /etc/docker its own, and reaps."""


class Node(EngineClient):
    """One machine, h1 … h9."""

    def __init__(self, number: int, folder: Path, switch: int, net: str) -> None:
        self.name = f"h{number}"
        self.address = f"{net}.1{number}"
        self._hardware = f"02:00:00:00:00:{number:02}"  # the same after a reboot: others remember it
        self.folder = folder / self.name
        for part in ("etc", "sys"):
            (self.folder / part).mkdir(parents=True)
        Path("/etc/docker").mkdir(exist_ok=True)
        super().__init__(self.folder / "docker.sock", {"PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ['PATH']}"})
        self._switch = switch
        self._machine: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._init = 0

    def start(self) -> None:
        """Switch the machine on if it is off, start its engine on its old data, and wait until it answers."""
        self.begin()
        self.finish()

    def begin(self) -> None:
        """Do the first part of `start`: wait for nothing that takes long."""
        if self._machine is None:
            self._power_on()
        config = self.folder / "daemon.json"
        config.write_text(json.dumps(self._settings()))
        with (self.folder / "log").open("ab") as log:
            self._dockerd = subprocess.Popen(
                [*self._inside(), "dockerd", "--config-file", config], env=self._env, stdout=log, stderr=log
            )

    def finish(self) -> None:
        """Wait until the engine answers, and have the web image on it."""
        until(self._answers, 60, f"the engine of {self.name} answers (its log: {self.folder}/log)")
        if not self.api.get("/images/json"):
            self.load(WEB, "EXPOSE 8000")
            self.load(BARE)

    def _settings(self) -> dict[str, object]:
        return {
            "hosts": [self.host],
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "pid"),
            "dns": ["127.0.0.1"],
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/{self.folder.parent.name}/{self.name}",
            "shutdown-timeout": 15,
        }

    def _answers(self) -> bool:
        assert self._dockerd
        if self._dockerd.poll() is not None:
            raise RuntimeError(f"{self.name}: dockerd ended:\n{(self.folder / 'log').read_text()[-3000:]}")
        return self.api.ping()

    def _power_on(self) -> None:
        machine = mortal("unshare", *NAMESPACES, "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
        self._machine = subprocess.Popen(
            [*machine, "bash", "-c", _INIT, f"{self.folder.parent.name}-init", self.name, self.folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._init = until(lambda: child_of(self._machine), what=f"{self.name} is switched on")
        until(lambda: self.shell("cat", "/proc/1/task/1/children").strip(), what=f"{self.name} is up")  # it sleeps
        ends = ["ip", "link", "add", "eth0", "address", self._hardware, "netns", str(self._init), "type", "veth"]
        run([*ends, "peer", "name", self.name, "netns", str(self._switch)])
        run([*_in_network(self._switch), "ip", "link", "set", self.name, "master", "br0", "up"])
        for words in (f"addr add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self.shell("ip", *words.split())
        self.shell("sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")  # else dockerd would let everything through

    def shell(self, *command: str) -> str:
        """Run a command on the machine and return what it printed."""
        return run([*self._inside(), *command])

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self._init), *NAMESPACES, "--"]

    @property
    def engine_pid(self) -> int:
        """The process id of its dockerd, as this machine sees it."""
        return child_of(self._dockerd)

    def stop(self) -> None:
        """End the engine politely; the machine stays."""
        if self._dockerd is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child_of(self._dockerd) or self._dockerd.pid, signal.SIGTERM)
            self._dockerd.wait(60)
            self._dockerd = None
        self.socket.unlink(missing_ok=True)

    def power_off(self) -> None:
        """Cut the power: everything on the machine ends at once; its disk stays."""
        if self._machine is not None:
            os.kill(self._init, signal.SIGKILL)
            self._machine.wait(30)
            self._machine = None
        if self._dockerd is not None:
            self._dockerd.kill()
            self._dockerd.wait(30)
            self._dockerd = None
        for left in (self.socket, self.folder / "pid"):
            left.unlink(missing_ok=True)
        for left in (self.folder / "exec").glob("containerd/*"):
            left.unlink() if left.is_socket() or left.suffix in (".pid", ".sock") else None
        link = [*_in_network(self._switch), "ip", "link", "del", self.name]
        subprocess.run(link, capture_output=True, check=False)  # gone with the machine's network, if that is gone yet

    def cut(self) -> None:
        """Pull the cable: nobody reaches it, and it reaches nobody."""
        run([*_in_network(self._switch), "ip", "link", "set", self.name, "down"])

    def heal(self) -> None:
        """Put the cable back."""
        run([*_in_network(self._switch), "ip", "link", "set", self.name, "up"])


class Machines:
    """Several machines and their switch, started in parallel, gone without a trace."""

    def __init__(self, count: int = 3) -> None:
        number = next(_numbers)
        self.net = f"10.250.{number}"
        self._uplink = f"lab-up{number}"
        self.folder = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(4)}"
        self.nodes: list[Node] = []
        self._count = count
        self._switch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start all of them."""
        self.folder.mkdir(mode=0o711)
        (self.folder / "owner").write_text(str(os.getpid()))
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything, and remove what it kept on disk."""
        self.close()

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    @property
    def address(self) -> str:
        """Where the machines reach this process."""
        return f"{self.net}.1"

    def _start(self) -> None:
        self._switch = subprocess.Popen(mortal("unshare", "--net", "sleep", "infinity"), stdout=subprocess.DEVNULL)
        switch = self._switch.pid
        ours = Path("/proc/self/ns/net").readlink()
        until(lambda: Path(f"/proc/{switch}/ns/net").readlink() != ours, what="the switch has a network")
        for words in ("link add br0 type bridge mcast_snooping 0", "link set br0 up", "link set lo up"):
            run([*_in_network(switch), "ip", *words.split()])
        run(["ip", "link", "add", self._uplink, "type", "veth", "peer", "name", "uplink", "netns", str(switch)])
        run([*_in_network(switch), "ip", "link", "set", "uplink", "master", "br0", "up"])
        run(["ip", "addr", "add", f"{self.address}/24", "dev", self._uplink])
        run(["ip", "link", "set", self._uplink, "up"])
        self.nodes = [self._node(number, switch) for number in range(1, self._count + 1)]
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.finish()

    def _node(self, number: int, switch: int) -> Node:
        return Node(number, self.folder, switch, self.net)

    def close(self) -> None:
        """End everything, by process id."""
        for node in self.nodes:
            node.power_off()
        if self._switch is not None:
            self._switch.kill()
            self._switch.wait()
        subprocess.run(["ip", "link", "del", self._uplink], capture_output=True, check=False)
        end_family(self.folder.name)
        remove_folder(self.folder)


def mortal(*command: str) -> list[str]:
    """Give the words that run a command which dies with this process."""
    if shutil.which("setpriv") is None:
        raise FileNotFoundError("setpriv is missing (package util-linux)")
    return ["setpriv", "--pdeathsig", "KILL", *command]


def child_of(process: subprocess.Popen[bytes] | None) -> int:
    """Give the id of a process's only child, 0 while it has none."""
    if process is None or process.poll() is not None or is_gone(process.pid):
        return 0
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else 0


def run(command: Sequence[str]) -> str:
    """Run a command and return what it printed; RuntimeError with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _in_network(pid: int) -> list[str]:
    return ["nsenter", f"--net=/proc/{pid}/ns/net"]
