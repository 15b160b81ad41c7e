"""Certificates as the operator keeps them, and the copies HAProxy is given: only what works ever gets there.

    /etc/longshore/certs ──look, once a second──▶ good? ──▶ <state>/certs/certs-1f0c9ab2/a.pem ──▶ HAProxy

HAProxy refuses a whole reload for one broken PEM file. So it never sees the originals: a file is copied when it has a
certificate and the key that belongs to it, and a broken one leaves the last good copy in place and is said. A key may
stand in the same file, beside it ("a.pem" or "a.crt" with "a.key"), or as certbot writes it ("fullchain.pem" with
"privkey.pem"). Changes are found by content, because change events get lost across bind mounts.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from longshore.core.model import Problem

EVERY = 1.0  # seconds between looks
LARGEST = 1024 * 1024  # bytes of a file that can be a certificate
_EXTRAS = (".key", ".ocsp", ".issuer", ".sctl", ".dh")  # what HAProxy reads along with a certificate
_PARTS = ("cert.pem", "chain.pem")  # what certbot also puts beside fullchain.pem
_NAMED = (".pem", ".crt", ".cer")  # a file of this name is meant to be one


@dataclass(frozen=True, slots=True)
class Change:
    """A copy that is new, has other content, or is gone. `pem` is the content, certificate and key."""

    kind: Literal["new", "changed", "gone"]
    copy: Path
    pem: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class _Origin:
    path: Path
    copies: Path  # a folder of its own
    looked: bool = False
    is_folder: bool = False
    good: dict[str, str] = field(default_factory=dict)  # name of a copy -> hash of its content
    refused: dict[str, str] = field(default_factory=dict)  # the same for content that was not good enough


class Certificates:
    """Watches certificate files and folders. `problems` is what is wrong with them now.

    `origins` are the paths of the configuration, `folder` is where the copies are kept. `on_change` gets the changed
    copies; none if only `problems` changed.
    """

    def __init__(
        self, origins: Iterable[Path], folder: Path, on_change: Callable[[tuple[Change, ...]], object]
    ) -> None:
        self.problems: tuple[Problem, ...] = ()
        self._on_change = on_change
        self._folder = folder
        self._origins: dict[Path, _Origin] = {}
        self.set_origins(origins)

    def set_origins(self, origins: Iterable[Path]) -> None:
        """Watch these from the next look on; those that stay keep what is known of them."""
        known = self._origins
        self._origins = {path: known.get(path) or _Origin(path, self._folder / _folder_name(path)) for path in origins}

    def usable(self, path: Path) -> Path | None:
        """Return what HAProxy is to be given for a path of the configuration; None while nothing there is any good."""
        origin = self._origins[path]
        if not origin.good:
            return None
        return origin.copies if origin.is_folder else origin.copies / path.name

    def look(self) -> tuple[Change, ...]:
        """Bring the copies up to date (blocking I/O); return what changed. The first look comes before HAProxy."""
        changes: list[Change] = []
        problems: list[Problem] = []
        for origin in tuple(self._origins.values()):
            if not origin.looked:
                origin.good = _existing(origin.copies)
                origin.is_folder = origin.good.keys() != {origin.path.name}  # as long as it cannot be seen
            try:
                self._look_at(origin, changes, problems)
            except OSError as error:
                kept = "The last good certificates stay in use." if origin.good else ""
                what = f"cannot be read or copied: {error.strerror} ({error.filename})"
                problems.append(Problem(f"certificates {origin.path}", what, kept))
            origin.looked = True
        self.problems = tuple(problems)
        return tuple(changes)

    async def watch(self) -> None:
        """Look again and again, for ever."""
        while True:
            before = self.problems
            changes = await asyncio.to_thread(self.look)
            if changes or self.problems != before:
                self._on_change(changes)
            await asyncio.sleep(EVERY)

    def _look_at(self, origin: _Origin, changes: list[Change], problems: list[Problem]) -> None:
        if origin.path.exists():
            origin.is_folder = origin.path.is_dir()
        found = _gather(origin.path, origin.good)
        for name, pem in found.items():
            digest = hashlib.sha256(pem).hexdigest()
            if origin.good.get(name) == digest:
                origin.refused.pop(name, None)
                continue
            why = _put(origin.copies / name, pem)
            if not why:
                changes.append(Change("changed" if name in origin.good else "new", origin.copies / name, pem))
                origin.good[name] = digest
                origin.refused.pop(name, None)
            elif origin.refused.get(name) == digest or not origin.looked:  # else somebody may be writing it
                problems.append(_refusal(origin, name, why))
            if why:
                origin.refused[name] = digest
        gone = [name for name in origin.good if name not in found]
        if gone and len(gone) == len(origin.good):
            what = "contains no certificate any more" if origin.is_folder and origin.path.exists() else "is gone"
            problems.append(Problem(f"certificates {origin.path}", what, "The last good certificates stay in use."))
            return
        for name in gone:
            (origin.copies / name).unlink(missing_ok=True)
            del origin.good[name]
            changes.append(Change("gone", origin.copies / name))
        if not found:
            problems.append(Problem(f"certificates {origin.path}", "contains no certificate", _WANTED))


_WANTED = "Put a PEM file with a certificate and its private key there."


def _refusal(origin: _Origin, name: str, why: str) -> Problem:
    where = origin.path / name if origin.is_folder else origin.path
    good = name in origin.good
    return Problem(f"certificate {where}", why, "The last good version stays in use." if good else _WANTED)


def _gather(path: Path, known: Container[str]) -> dict[str, bytes]:
    """Return what is meant to be certificates there, each with its key as far as there is one, by file name.

    `known` names were certificates before.
    """
    if not path.is_dir():
        beside = (path.with_suffix(".key"), path.with_name(f"{path.name}.key"), path.with_name("privkey.pem"))
        files = {each.name: _read(each) for each in (path, *beside) if each.is_file()}
        return {path.name: _with_key(path.name, files)} if path.name in files else {}
    files = {each.name: _read(each) for each in sorted(path.iterdir()) if each.is_file() and each.name[0] != "."}
    return {
        name: _with_key(name, files)
        for name, content in files.items()
        if name in known or (_is_meant(name, content) and not (name in _PARTS and "fullchain.pem" in files))
    }


def _is_meant(name: str, content: bytes) -> bool:
    """Whether a file wants to be a certificate, and not a key or something that belongs to another file."""
    if name.endswith(_EXTRAS):
        return False
    return _has_certificate(content) or (name.endswith(_NAMED) and not _has_key(content))


def _with_key(name: str, files: dict[str, bytes]) -> bytes:
    content = files[name]
    if _has_key(content) or not _has_certificate(content):
        return content
    candidates = [str(Path(name).with_suffix(".key")), f"{name}.key"]
    candidates += ["privkey.pem"] if name == "fullchain.pem" else []
    keys = [files[each] for each in candidates if each in files]
    return content.rstrip() + b"\n" + keys[0] if keys else content


def _put(copy: Path, pem: bytes) -> str:
    """Put a copy in place if it is good; return why not."""
    if not _has_certificate(pem):
        return "contains no certificate"
    if not _has_key(pem):
        return f"has no private key in it, and there is no {copy.stem}.key beside it"
    if b"ENCRYPTED" in pem:
        return "its private key is encrypted, and nobody is there to type the passphrase"
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = copy.with_name(f".{copy.name}.new")
    try:
        with open(new, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(new)
        new.replace(copy)
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        said = (error.reason or "it cannot be read").replace("_", " ").lower()
        return "its private key belongs to another certificate" if mismatch else f"its PEM is broken: {said}"
    finally:
        new.unlink(missing_ok=True)
    return ""


def _existing(copies: Path) -> dict[str, str]:
    """Return the copies of an earlier life, which were good then."""
    if not copies.is_dir():
        return {}
    found = sorted(each for each in copies.iterdir() if each.name[0] != ".")
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in found}


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST)


def _has_certificate(pem: bytes) -> bool:
    return b"-----BEGIN CERTIFICATE-----" in pem or b"-----BEGIN TRUSTED CERTIFICATE-----" in pem


def _has_key(pem: bytes) -> bool:
    return b"PRIVATE KEY-----" in pem


def _folder_name(path: Path) -> str:
    return f"{path.name or 'root'}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
