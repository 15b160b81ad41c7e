"""Wheel and sdist: built without the network, checked by twine, whole, of one version, and working as they are."""

from __future__ import annotations

import configparser
import email
import email.message
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from longshore import __version__

ROOT = Path(__file__).parents[2]
NAME = f"longshore-{__version__}"
INFO = f"{NAME}.dist-info"


def run(*words: object, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, as hatchling makes them of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "--directory", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return built / f"{NAME}-py3-none-any.whl"  # no compiler is needed: it is for every machine


def sources() -> set[str]:
    return {
        str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*") if path.suffix in {".py", ".typed"}
    }


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as opened:
        return email.message_from_bytes(opened.read(f"{INFO}/METADATA"))


def test_both_pass_the_check_of_the_index(built: Path) -> None:
    files = sorted(built.iterdir())
    assert [file.name for file in files] == [f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"]
    assert "FAILED" not in run("-m", "twine", "check", "--strict", *files)


def test_the_wheel_has_every_module_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    about = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert names == sources() | about


def test_it_says_what_it_is_and_needs(wheel: Path) -> None:
    said = metadata(wheel)
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("longshore", __version__, "Apache-2.0")
    assert said["Requires-Python"] == ">=3.11"
    assert said.get_all("Provides-Extra") == ["zookeeper"]
    extras = [need for need in said.get_all("Requires-Dist", []) if "extra ==" in need]
    assert [need.partition(">")[0] for need in extras] == ["kazoo"]
    with zipfile.ZipFile(wheel) as opened:
        entries = configparser.ConfigParser()
        entries.read_string(opened.read(f"{INFO}/entry_points.txt").decode())
    assert dict(entries["console_scripts"]) == {"longshore": "longshore.cli.app:main"}


def test_its_code_runs_from_the_wheel_and_knows_its_version(wheel: Path, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); import longshore, longshore.cli.app as app; "
        f"assert longshore.__file__.startswith({str(wheel)!r}); app.run(['version'])"
    )
    assert run("-c", script, cwd=tmp_path).startswith(f"longshore {__version__} ")


def test_the_sdist_is_enough_to_build_the_same_wheel(built: Path, wheel: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "--extract", "--file", built / f"{NAME}.tar.gz"], cwd=tmp_path, check=True)
    names = {str(path.relative_to(tmp_path / NAME)) for path in (tmp_path / NAME).rglob("*") if path.is_file()}
    beside = {Path(name).name for name in names - {f"src/{each}" for each in sources()}}
    assert beside <= {"README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO", "pyproject.toml", ".gitignore"}
    run("-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path / "again", cwd=tmp_path / NAME)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(tmp_path / "again" / wheel.name) as other:
        assert {each.filename: each.CRC for each in one.infolist()} == {
            each.filename: each.CRC for each in other.infolist()
        }


def test_the_version_is_said_in_one_place_only() -> None:
    told = [path for path in (ROOT / "src").rglob("*.py") if "__version__ =" in path.read_text()]
    assert [path.name for path in told] == ["__init__.py"]
    for name in ("deploy/compose/compose.yaml",):
        assert f"longshore:{__version__}" in (ROOT / name).read_text(), f"{name} names the image of another version"
