"""Debian packages of any suite, unpacked side by side: how one machine gets four HAProxy versions and other engines.

`tree()` has apt itself fetch the packages and the libraries they need (so mirror, proxies, signatures and SHA256 sums
are apt's business, with the configuration of this machine), unpacks them under `<repo>/.cache/` and points the named
programs at the libraries of their own suite with patchelf. Nothing is installed, dpkg's state is not touched. Several
processes may ask at once: the first works, the others wait at a lock, and a tree appears complete or not at all.
"""

from __future__ import annotations

import fcntl
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab import network

CACHE = (Path(__file__).resolve().parents[2] / ".cache").resolve()  # several checkouts may share one
PLACE = ".made-for"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class PackagesError(Exception):
    """A package could not be had; the message says which and what apt said."""


def tree(name: str, suite: str, packages: Sequence[str], *, patch: Sequence[str] = ()) -> Path:
    """Return the folder `.cache/<name>` that holds `packages` of `suite` and the libraries they depend on.

    `patch` names programs inside the tree (e.g. "usr/sbin/haproxy") that must run with the tree's libraries.
    Made on first use (needs the network and patchelf), afterwards only looked up.
    """
    target = CACHE / name
    if _is_made(target):
        return target
    with _lock(name):
        if not _is_made(target):
            shutil.rmtree(target, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{name}-") as scratch:
                for deb in _download(suite, packages, Path(scratch)):
                    _run(["dpkg-deb", "--extract", str(deb), f"{scratch}/tree"])
                for program in patch:
                    _patch(Path(scratch, "tree"), program, runs_at=target)
                Path(scratch, "tree", PLACE).write_text(str(target))
                Path(scratch, "tree").rename(target)
    return target


def _is_made(target: Path) -> bool:
    """Tell whether the tree is there, made for this place (its programs contain the path of their libraries)."""
    place = target / PLACE
    return place.exists() and place.read_text() == str(target)


def mirror() -> str:
    """Return the address of this machine's Debian archive, whatever format apt's sources are written in."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    found = dict[str, str]()
    asked = _run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"])
    for line in asked.splitlines():
        release, _, address = line.partition(" ")
        found.setdefault(release, address)
    if not found.get(codename):
        raise PackagesError(f"apt's sources name no archive for this machine's suite {codename!r}: {sorted(found)}")
    return found[codename].rstrip("/")


def _download(suite: str, packages: Sequence[str], scratch: Path) -> list[Path]:
    """Fetch the packages and, level by level, the libraries in their Depends."""
    asked = set(packages)
    level = [f"{package}/{suite}" for package in packages]
    while level:
        _apt(suite, ["download", *level], cwd=scratch)
        needed = {name for deb in scratch.glob("*.deb") for name in _libraries(deb)}
        level = sorted(needed - asked)
        asked |= needed
    return sorted(scratch.glob("*.deb"))


def _libraries(deb: Path) -> Iterator[str]:
    depends = ",".join(_run(["dpkg-deb", "--field", str(deb), field]) for field in ("Pre-Depends", "Depends"))
    for dependency in depends.split(","):
        name = re.match(r"\s*(lib[a-z0-9.+-]+)", dependency)
        if name:
            yield name[1]


def _apt(suite: str, arguments: Sequence[str], cwd: Path) -> None:
    """Run apt-get with sources, lists and state of its own, for `suite` (experimental builds on sid)."""
    root = CACHE / "apt" / suite
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    suites = [suite, "sid"] if suite == "experimental" else [suite]
    (root / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (root / "sources.list").write_text("".join(f"deb {signed}{mirror()} {each} main\n" for each in suites))
    (root / "status").touch()
    settings = {
        "Dir::Etc::SourceList": root / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": root,
        "Dir::State::Lists": root / "lists",
        "Dir::State::Status": root / "status",
        "Dir::Cache": root,
        "APT::Sandbox::User": "root",
        "APT::Update::Post-Invoke-Success": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::Check-Valid-Until": "false",
    }
    command = [
        *network.outside(),
        "apt-get",
        "-q",
        *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")),
    ]
    with _lock(f"apt-{suite}"):
        if not any((root / "lists").glob("*_Packages*")):
            _run([*command, "update"], cwd)
        _run([*command, *arguments], cwd)


def _patch(unpacked: Path, program: str, runs_at: Path) -> None:
    if shutil.which("patchelf") is None:
        raise PackagesError("patchelf is missing, which makes programs of other suites run here: script/setup --lab")
    folders = dict.fromkeys(path.parent for path in unpacked.rglob("*.so*"))
    loader = next(path for path in unpacked.rglob("ld-linux*.so*") if path.is_file() and not path.is_symlink())
    rpath = ":".join(str(runs_at / folder.relative_to(unpacked)) for folder in folders)
    interpreter = str(runs_at / loader.relative_to(unpacked))
    binary = str(unpacked / program)
    _run(["patchelf", "--set-interpreter", interpreter, "--set-rpath", rpath, "--force-rpath", binary])


@contextmanager
def _lock(name: str) -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        what = " ".join(word for word in command if "::" not in word and word != "-o")
        raise PackagesError(f"{what}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
