"""The bill of materials names longshore and all that its lock pins, with hashes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from longshore import __version__

ROOT = Path(__file__).parents[2]


def test_it_is_what_the_lock_says(tmp_path: Path) -> None:
    subprocess.run([ROOT / "script" / "sbom", tmp_path / "sbom.json"], check=True, timeout=120)
    bom = json.loads((tmp_path / "sbom.json").read_text())
    assert bom["bomFormat"] == "CycloneDX"
    assert (bom["metadata"]["component"]["name"], bom["metadata"]["component"]["version"]) == ("longshore", __version__)
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert {each["name"]: each["version"] for each in bom["components"]} == pinned
    assert all("SHA-256" in json.dumps(each) for each in bom["components"])
