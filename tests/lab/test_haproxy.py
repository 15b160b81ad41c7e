"""The lab's HAProxy binaries are the versions they say they are, and run here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab.haproxy import every_version, haproxy, version

pytestmark = pytest.mark.system


@every_version
def test_each_series_answers_with_its_own_version(series: str) -> None:
    assert version(haproxy(series)).startswith(f"{series}.")


@every_version
def test_each_series_accepts_a_configuration_with_lua(series: str, tmp_path: Path) -> None:
    (tmp_path / "hold.lua").write_text("core.register_action('nothing', {'http-req'}, function() end)\n")
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        f"global\n  lua-load {tmp_path}/hold.lua\n"
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
        f"frontend f\n  bind unix@{tmp_path}/f.sock\n  http-request lua.nothing\n"
    )
    checked = subprocess.run([haproxy(series), "-c", "-f", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
