"""deploy/systemd: units that systemd understands and thinks well shut, and an installation that leaves no trace."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
VENV = Path(sys.executable).parents[1]
every_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def tree(root: Path) -> dict[str, str]:
    """Return every file below `root` with what is in it, or where it leads; no locks, no backups of users."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text(errors="replace")
        for path in root.rglob("*")
        if (path.is_symlink() or path.is_file()) and not path.name.endswith(("-", ".pwd.lock"))
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with HAProxy, and users of its own."""
    for name in ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "usr/sbin/haproxy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "etc/group").write_text("root:x:0:\ndocker:x:998:\n")
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tmp_path / "usr/sbin/haproxy").chmod(0o755)
    return tmp_path


@every_unit
def test_a_unit_is_shut_well(unit: Path) -> None:
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert level, said
    assert float(level[1]) <= 3.0


@pytest.mark.parametrize("unit", ["longshore", "longshore-attached"])
def test_a_balancer_may_ask_the_kernel_which_connections_are_silent(unit: str) -> None:
    """Whether it may also cut them is the operator's choice; if not, it says so."""
    allowed = re.search(r"^RestrictAddressFamilies=(.*)$", (FOLDER / f"{unit}.service").read_text(), re.MULTILINE)
    assert allowed
    assert "AF_NETLINK" in allowed[1].split()


@every_unit
def test_a_unit_names_what_is_installed_and_systemd_understands_it(unit: Path, root: Path) -> None:
    run(FOLDER / "install", "--root", root, "--venv", VENV)
    text = unit.read_text()
    for program in re.findall(r"^Exec\w+=(\S+)", text, re.MULTILINE):
        assert program == "/bin/kill" or (root / program[1:]).exists() or (root / program[1:]).is_symlink(), program
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    faults = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert faults == []


def test_the_configuration_and_the_variables_of_the_units_are_valid(root: Path) -> None:
    for unit in ("longshore.service", "longshore-attached.service"):
        said = dict(re.findall(r"^Environment=(\w+)=(.*)$", (FOLDER / unit).read_text(), re.MULTILINE))
        said["LONGSHORE_CONFIG"] = str(FOLDER / "longshore.yaml")
        command = [str(VENV / "bin" / "longshore"), "check"]
        done = subprocess.run(
            command, env={"PATH": "/usr/bin:/bin", **said}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_what_is_installed_can_be_undone_and_what_was_changed_stays(root: Path) -> None:
    before = tree(root)
    run(FOLDER / "install", "--root", root, "--venv", VENV)
    assert (root / "usr/local/bin/longshore").is_symlink()
    assert ".SH NAME" in (root / "usr/local/share/man/man1/longshore.1").read_text()
    assert "socket-proxy" in (root / "usr/local/share/bash-completion/completions/longshore").read_text()
    assert "longshore-proxy" in (root / "etc/passwd").read_text()
    assert "stats socket" in (root / "var/lib/longshore/haproxy.cfg").read_text()
    installed = tree(root)
    run(FOLDER / "install", "--root", root, "--venv", VENV)
    assert tree(root) == installed, "to install twice is to install once"

    (root / "etc/longshore/longshore.yaml").write_text("frontends: {http: ':8080'}\n")
    assert "is yours" in run(FOLDER / "install", "--root", root, "--venv", VENV)
    assert "stays" in run(FOLDER / "install", "--root", root, "--undo")
    left = {path for path in tree(root) if path not in before}
    assert left == {"etc/longshore/longshore.yaml", "var/lib/longshore/haproxy.cfg"}

    shutil.rmtree(root / "etc/longshore")
    run(FOLDER / "install", "--root", root, "--venv", VENV)
    run(FOLDER / "install", "--root", root, "--undo", "--purge")
    after = tree(root)
    assert after.keys() == before.keys()
    assert after["etc/passwd"] == before["etc/passwd"]
    assert not (root / "var/lib/longshore").exists()


def test_nothing_is_undone_that_was_not_done(root: Path) -> None:
    done = subprocess.run([FOLDER / "install", "--root", root, "--undo"], capture_output=True, text=True, check=False)
    assert (done.returncode, "nothing was installed" in done.stderr) == (1, True)
