"""Certificates: found by content, copied when good; a broken one never replaces a good one."""

from __future__ import annotations

import asyncio
import stat
from functools import cache
from pathlib import Path

import pytest

from longshore.agent.certificates import Certificates, Change
from tests.agent.authority import self_signed


@cache
def pem(name: str) -> bytes:
    return self_signed(name)


def split(text: bytes) -> tuple[bytes, bytes]:
    """Return certificate and key."""
    start = text.index(b"-----BEGIN CERTIFICATE-----")
    return text[start:], text[:start]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's folder, with one certificate."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "a.pem").write_bytes(pem("a.test"))
    return folder


def watching(*origins: Path) -> Certificates:
    return Certificates(origins, origins[0].parent / "state" / "certs", lambda _: None)


def kinds(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.kind, change.copy.name) for change in changes]


def in_use(certificates: Certificates, origin: Path) -> dict[str, bytes]:
    copies = certificates.usable(origin)
    assert copies is not None
    files = copies.iterdir() if copies.is_dir() else [copies]
    return {file.name: file.read_bytes() for file in files}


def test_a_good_certificate_is_copied_for_its_owner_alone(folder: Path) -> None:
    certificates = watching(folder)
    (change,) = certificates.look()
    assert (change.kind, change.pem) == ("new", pem("a.test"))
    assert in_use(certificates, folder) == {"a.pem": pem("a.test")}
    assert stat.S_IMODE(change.copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(change.copy.parent.stat().st_mode) == 0o700
    assert certificates.problems == ()


def test_nothing_changed_is_no_change_also_in_the_next_life(folder: Path) -> None:
    certificates = watching(folder)
    certificates.look()
    (folder / "a.pem").touch()
    assert certificates.look() == ()
    assert watching(folder).look() == ()


def test_other_content_new_files_and_gone_files_are_changes(folder: Path) -> None:
    certificates = watching(folder)
    certificates.look()
    (folder / "a.pem").write_bytes(pem("a2.test"))
    (folder / "b.pem").write_bytes(pem("b.test"))
    assert kinds(certificates.look()) == [("changed", "a.pem"), ("new", "b.pem")]
    (folder / "a.pem").unlink()
    assert kinds(certificates.look()) == [("gone", "a.pem")]
    assert in_use(certificates, folder) == {"b.pem": pem("b.test")}


def test_a_certificate_that_left_while_longshore_was_down_goes_at_the_first_look(folder: Path) -> None:
    (folder / "b.pem").write_bytes(pem("b.test"))
    watching(folder).look()
    (folder / "b.pem").unlink()
    certificates = watching(folder)
    assert kinds(certificates.look()) == [("gone", "b.pem")]
    assert in_use(certificates, folder) == {"a.pem": pem("a.test")}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"", "contains no certificate"),
        (b"hello", "contains no certificate"),
        (split(pem("a.test"))[0], "has no private key in it, and there is no a.key beside it"),
        (split(pem("a.test"))[0] + split(pem("b.test"))[1], "its private key belongs to another certificate"),
        (pem("a.test")[:-200] + b"\n-----END CERTIFICATE-----\n", "its PEM is broken"),
        (pem("a.test").replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"), "its private key is encrypted"),
    ],
)
def test_a_broken_file_leaves_the_last_good_one_in_use_and_is_said(folder: Path, broken: bytes, why: str) -> None:
    certificates = watching(folder)
    certificates.look()
    (folder / "a.pem").write_bytes(broken)
    for _ in range(2):
        assert certificates.look() == ()
    (problem,) = certificates.problems
    assert problem.where == f"certificate {folder / 'a.pem'}"
    assert problem.what.startswith(why)
    assert problem.hint == "The last good version stays in use."
    assert in_use(certificates, folder) == {"a.pem": pem("a.test")}
    again = watching(folder)
    again.look()
    assert in_use(again, folder) == {"a.pem": pem("a.test")}
    (folder / "a.pem").write_bytes(pem("a2.test"))
    assert kinds(certificates.look()) == [("changed", "a.pem")]
    assert certificates.problems == ()


def test_a_file_that_is_being_written_is_not_said_to_be_broken(folder: Path) -> None:
    certificates = watching(folder)
    certificates.look()
    (folder / "a.pem").write_bytes(pem("a2.test")[:100])
    certificates.look()
    assert certificates.problems == ()
    (folder / "a.pem").write_bytes(pem("a2.test"))
    assert kinds(certificates.look()) == [("changed", "a.pem")]


def test_one_broken_file_does_not_harm_the_others(folder: Path) -> None:
    (folder / "bad.pem").write_bytes(b"x")
    certificates = watching(folder)
    assert kinds(certificates.look()) == [("new", "a.pem")]
    assert [problem.where for problem in certificates.problems] == [f"certificate {folder / 'bad.pem'}"]


@pytest.mark.parametrize(
    ("certificate", "key"),
    [("b.pem", "b.key"), ("b.crt", "b.key"), ("b.crt", "b.crt.key"), ("fullchain.pem", "privkey.pem")],
)
def test_a_key_may_stand_beside_its_certificate(folder: Path, certificate: str, key: str) -> None:
    chain, private = split(pem("b.test"))
    (folder / certificate).write_bytes(chain)
    (folder / key).write_bytes(private)
    (folder / "README").write_text("what certbot leaves")
    certificates = watching(folder)
    assert kinds(certificates.look()) == [("new", "a.pem"), ("new", certificate)]
    assert certificates.problems == ()
    alone = watching(folder / certificate)
    alone.look()
    assert in_use(alone, folder / certificate) == {certificate: chain.rstrip() + b"\n" + private}


def test_one_file_is_used_as_one_file_and_stays_when_it_is_gone(folder: Path) -> None:
    path = folder / "a.pem"
    certificates = watching(path)
    certificates.look()
    copy = certificates.usable(path)
    assert copy is not None
    assert copy.is_file()
    path.unlink()
    assert certificates.look() == ()
    assert [problem.what for problem in certificates.problems] == ["is gone"]
    assert certificates.usable(path) == copy


def test_an_emptied_folder_leaves_the_last_certificates_in_use(folder: Path) -> None:
    certificates = watching(folder)
    certificates.look()
    (folder / "a.pem").unlink()
    assert certificates.look() == ()
    assert "any more" in certificates.problems[0].what
    assert in_use(certificates, folder) == {"a.pem": pem("a.test")}


def test_where_nothing_is_nothing_is_usable_and_it_is_said(tmp_path: Path) -> None:
    empty, missing = tmp_path / "empty", tmp_path / "missing"
    empty.mkdir()
    certificates = watching(empty, missing)
    assert certificates.look() == ()
    assert certificates.usable(empty) is None
    assert certificates.usable(missing) is None
    assert [problem.where for problem in certificates.problems] == [f"certificates {empty}", f"certificates {missing}"]


def test_other_origins_are_watched_after_the_configuration_was_read_again(folder: Path) -> None:
    certificates = watching(folder)
    certificates.look()
    other = folder.parent / "other"
    other.mkdir()
    (other / "b.pem").write_bytes(pem("b.test"))
    certificates.set_origins([folder, other])
    assert kinds(certificates.look()) == [("new", "b.pem")]
    certificates.set_origins([other])
    (folder / "a.pem").write_bytes(b"x")
    assert certificates.look() == ()
    assert certificates.problems == ()


async def test_watching_tells_changes_and_new_problems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longshore.agent.certificates.EVERY", 0.01)
    told: asyncio.Queue[tuple[Change, ...]] = asyncio.Queue()
    certificates = Certificates([folder], folder.parent / "state", told.put_nowait)
    watch = asyncio.create_task(certificates.watch())
    async with asyncio.timeout(20):
        assert kinds(await told.get()) == [("new", "a.pem")]
        (folder / "a.pem").write_bytes(b"x")
        assert await told.get() == ()
        assert certificates.problems != ()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
