"""docs/start.md, done as it is written: every command of every way, and a service is balanced at its end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page
from tests.lab import compose, shell
from tests.lab.boxed import load
from tests.lab.engine import PREFIX, WEB, Engine
from tests.lab.haproxy import haproxy
from tests.lab.remains import end_family
from tests.lab.waiting import until

pytestmark = pytest.mark.system

PAGE = ROOT / "docs" / "start.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))
COPIED = ("src", "deploy", "pyproject.toml", "README.md", "LICENSE", "requirements.lock", "requirements-build.lock")
SUDO = '#!/bin/sh\nexec "$@"\n'
IMAGE = "#!/bin/sh\necho 'built and tried in tests/lab/image.py'\n"


def blocks(section: str) -> list[str]:
    """Return the commands of a section, block by block."""
    return Page(PAGE, SECTIONS[section]).blocks("sh")


class Person:
    """Somebody at a shell, in a checkout of longshore, on a machine with this engine."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.checkout = folder / "longshore"
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, self.checkout / name)
        self.put("longshore/script/image", IMAGE)
        self.put("bin/sudo", SUDO)
        plugin = folder / "docker" / "cli-plugins" / "docker-compose"
        plugin.parent.mkdir(parents=True)
        plugin.symlink_to(compose.binary())
        engine.docker("tag", load(engine), "longshore:0.1.0")
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("LONGSHORE_", "PIP_"))},
            "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "DOCKER_HOST": engine.host,
            "DOCKER_SOCKET": str(engine.socket),
            "DOCKER_CONFIG": str(folder / "docker"),
            "IMAGE": WEB,
            "BALANCER_IMAGE": "longshore:0.1.0",
            "LONGSHORE_STATE_DIR": str(folder / "state"),
            "NO_COLOR": "1",
        }
        self.background: list[subprocess.Popen[bytes]] = []

    def put(self, name: str, text: str) -> None:
        """Write a program."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def does(self, *blocks: str) -> list[str]:
        """Type the blocks into one shell, in order; each must end well. Returns what each printed."""
        said = []
        where = str(self.checkout)
        for block in blocks:
            typed = re.sub(r"(?<!:)/var/run/docker.sock", str(self.engine.socket), block)
            script = f"set -e\ncd {where}\n{typed}\npwd >{self.folder}/where\n"
            done = subprocess.run(["bash", "-c", script], env=self.env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            where = (self.folder / "where").read_text().strip()
            said.append(done.stdout)
        return said

    def leaves_running(self, block: str) -> None:
        """Type a command that goes on, in a terminal of its own."""
        with (self.folder / "log").open("ab") as log:
            self.background.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {block}"], env=self.env, cwd=self.checkout, stdout=log, stderr=log
                )
            )

    def close(self) -> None:
        """Leave."""
        for process in self.background:
            process.terminate()
            process.wait(30)
        end_family(str(self.folder), ("haproxy",))


@pytest.fixture
def person(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    found = Person(engine, tmp_path_factory.mktemp(PREFIX))
    yield found
    found.close()
    log = found.folder / "log"
    print(log.read_text() if log.exists() else "")  # noqa: T201 - pytest shows it when the test failed


def test_compose(engine: Engine, person: Person) -> None:
    up, ask, scale, hup, down, host = blocks("Compose")
    _, asked, scaled, _, _, _ = person.does(up, ask, scale, hup, down, host)
    assert "host=" in asked
    assert "haproxy_" in asked
    assert "longshore-web  5 of 5 up" in scaled
    assert engine.containers() == []


def test_a_container(engine: Engine, person: Person) -> None:
    up, down = blocks("A container")
    assert "host=" in person.does(up)[0]
    person.does(down)
    assert engine.containers() == []


def test_systemd(engine: Engine, person: Person) -> None:
    """Without a systemd here, the installation goes below a folder, and its two services are started as it would."""
    install, hello, undo = blocks("systemd")
    root = person.folder / "root"
    for name in ("etc/passwd", "etc/group", "usr/sbin/haproxy"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch(0o755)
    (root / "etc/group").write_text("root:x:0:\ndocker:x:998:\n")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    run = person.folder / "docker.sock"
    real = f"deploy/systemd/install --root {root} --venv {Path(sys.executable).parents[1]}"
    first, rest = install.split("\n", 1)
    person.does(first.replace("deploy/systemd/install", real))
    person.put("bin/longshore", f'#!/bin/sh\nexec {root}/opt/longshore/bin/longshore "$@"\n')
    person.env |= {
        "LONGSHORE_CONFIG": str(root / "etc/longshore/longshore.yaml"),
        "LONGSHORE_HAPROXY_BINARY": str(haproxy("3.4")),
        "LONGSHORE_SOURCES_DOCKER_HOST": f"unix://{run}",
    }
    person.leaves_running(f"longshore socket-proxy --engine {engine.host} --listen unix://{run}")
    person.leaves_running("longshore up")
    until((person.folder / "state" / "longshore.sock").exists, what="longshore is there")
    assert "host=" in person.does(rest, hello)[1]
    person.does(undo.replace("deploy/systemd/install", f"deploy/systemd/install --root {root}"))


def test_pip(person: Person) -> None:
    """pip takes nothing from an index here: what longshore needs is on the path already."""
    install, up, hello = blocks("pip")
    site = sysconfig.get_path("purelib")
    person.env |= {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PYTHONPATH": site}
    person.env |= {"PATH": f"{Path(sys.executable).parent}:{person.env['PATH']}"}
    person.env |= {"LONGSHORE_HAPROXY_BINARY": str(haproxy("3.4"))}
    person.env |= {"LONGSHORE_SOURCES_DOCKER_HOST": person.engine.host}
    person.does(install)
    person.leaves_running(up)
    until((person.folder / "state" / "longshore.sock").exists, what="longshore is there")
    assert "host=" in person.does(hello)[0]


def test_updating_with_compose(engine: Engine, person: Person) -> None:
    """docs/updating.md, as it is written; tests/system/test_compose.py counts requests meanwhile."""
    page = Page(ROOT / "docs" / "updating.md", (ROOT / "docs" / "updating.md").read_text())
    (block,) = [block for block in page.blocks("sh") if "update.sh" in block]
    person.env["PORTS_IMAGE"] = shell.load(engine)
    asked = block.replace("./update.sh\n", "./update.sh\ncurl --fail http://web.localhost/\n")
    assert "host=" in person.does(f"cd deploy/compose\n{asked}")[0]
    assert engine.containers() == []


def test_no_way_is_left_out() -> None:
    ways = {name for name in SECTIONS if Page(PAGE, SECTIONS[name]).blocks("sh")}
    tested = {name.removeprefix("test_").replace("_", " ") for name in globals() if name.startswith("test_")}
    assert {way.lower() for way in ways} <= tested
