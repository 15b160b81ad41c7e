"""The image of longshore, built from these sources without a registry: its base is made of Debian's packages.

engine.docker("load", "--input", str(image.archive()))      # local/longshore:lab

`python -m tests.lab.image` builds it. The base, what the build has cached and the image itself are kept below .cache;
when the sources change, a build takes some seconds. Building needs the network, so it happens outside of a test's own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import network, packages
from tests.lab.packages import CACHE, KEYRING, PackagesError

ROOT = Path(__file__).resolve().parents[2]
LONGSHORE = "local/longshore:lab"
BASE = "local/haproxy:3.4"  # stands in for the official image: Debian sid with HAProxy 3.4, and a user haproxy
SOURCES = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "src", "deploy/image")
MADE_OF = (*SOURCES, "script/image")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


def archive() -> Path:
    """Return the image as `docker save` wrote it, built anew when what it is made of has changed."""
    target = CACHE / "image" / f"longshore-{_digest()}.tar"
    if not target.exists():
        command = [*network.outside(), sys.executable, "-m", "tests.lab.image"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PackagesError(f"the image cannot be built:\n{(done.stdout + done.stderr)[-4000:]}")
    return target


def _digest() -> str:
    """Say in a few letters what the image is made of."""
    found = hashlib.sha256()
    locks = sorted(ROOT.glob("requirements*.lock"))
    for path in [*(ROOT / name for name in MADE_OF), *locks, Path(__file__)]:
        files = sorted(each for each in path.rglob("*") if each.suffix != ".pyc") if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:16]


def base() -> Path:
    """Return the base's file system as a tar file."""
    target = CACHE / "image" / "base.tar"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("mmdebstrap") is None:
        raise PackagesError("mmdebstrap is missing, which makes the base of the image: script/setup --lab")
    partial = target.with_suffix(".partial")
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    command = [
        *network.outside(),
        "mmdebstrap",
        "--quiet",
        "--variant=apt",
        "--format=tar",
        '--aptopt=Acquire::Check-Valid-Until "false"',  # of the image too: archives that are frozen are as good
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt=path-exclude={each}" for each in LEFT_OUT),
        "--include=haproxy/experimental",
        "sid",
        str(partial),
        *(f"deb {signed}{packages.mirror()} {suite} main" for suite in ("sid", "experimental")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagesError(f"mmdebstrap: exit {done.returncode}:\n{done.stderr[-2000:]}")
    partial.rename(target)
    return target


def build() -> Path:
    """Build the image in an engine of its own, whose data stays below .cache."""
    from tests.lab.engine import Engine

    (CACHE / "image").mkdir(parents=True, exist_ok=True)
    with _alone():
        target = CACHE / "image" / f"longshore-{_digest()}.tar"
        if target.exists():
            return target
        base()
        with Engine(settings={"data-root": str(CACHE / "image" / "engine")}) as engine:
            if not engine.api.get(f'/images/json?filters={{"reference":["{BASE}"]}}'):
                engine.docker("import", "--change", "USER haproxy", str(base()), BASE)
            command = ["script/image", "--base", BASE, LONGSHORE]
            command += ["--ca", str(CERTIFICATES)] if CERTIFICATES.exists() else []
            env = {**engine._env, "DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(plugins())}
            done = subprocess.run([*command, "--", "--network", "host"], cwd=ROOT, env=env, check=False)
            if done.returncode:
                raise PackagesError(f"{' '.join(command)}: exit {done.returncode}")
            for old in (CACHE / "image").glob("longshore-*.tar"):
                old.unlink()
            engine.docker("save", "--output", str(target.with_suffix(".partial")), LONGSHORE)
            engine.docker("image", "prune", "--force")
        target.with_suffix(".partial").rename(target)
    return target


def plugins() -> Path:
    """Return a configuration of the docker command in which it has buildx, as its newer versions need."""
    folder = packages.tree("buildx", "trixie", ["docker-buildx"])
    config = CACHE / "image" / "docker"
    (config / "cli-plugins").mkdir(parents=True, exist_ok=True)
    link = config / "cli-plugins" / "docker-buildx"
    link.unlink(missing_ok=True)
    link.symlink_to(folder / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-buildx")
    return config


@contextmanager
def _alone() -> Iterator[None]:
    with (CACHE / ".image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    os.chdir(ROOT)
    print(build())  # noqa: T201 - a command for people
