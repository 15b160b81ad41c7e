"""Which ports HAProxy may have is read from its file, and from what we may hand on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore.haproxy.privileges import may_take_low_ports

ALL, NONE, BIND = "000001ffffffffff", "0" * 16, f"{1 << 10:016x}"


def file_capability(bits: int) -> bytes:
    """struct vfs_cap_data, revision 2, effective."""
    return b"\x01\x00\x00\x02" + bits.to_bytes(4, "little") + bytes(12)


@pytest.mark.parametrize(
    ("carried", "bounds", "no_new", "may"),
    [
        (1 << 10, ALL, "0", True),
        (1 << 10, BIND, "0", True),
        (1 << 10, NONE, "0", False),
        (1 << 10, ALL, "1", False),
        (1 << 12, ALL, "0", False),
    ],
)
def test_the_capability_counts_where_it_takes_effect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, carried: int, bounds: str, no_new: str, may: bool
) -> None:
    monkeypatch.setattr(os, "getxattr", lambda path, name: file_capability(carried))
    (tmp_path / "status").write_text(f"Name:\tx\nCapBnd:\t{bounds}\nNoNewPrivs:\t{no_new}\n")
    assert may_take_low_ports("/usr/sbin/haproxy", tmp_path / "status") is may


def test_a_file_without_one_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "haproxy").write_text("")
    assert not may_take_low_ports(str(tmp_path / "haproxy"))
    assert not may_take_low_ports("/nowhere/haproxy")
