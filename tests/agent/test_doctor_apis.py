"""The doctor asks Marathon and EC2 for what the services are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from longshore.agent.doctor.apis import api
from longshore.agent.doctor.finding import Finding
from longshore.config.ec2 import Ec2Source
from longshore.config.load import load
from longshore.config.marathon import MarathonSource
from tests.lab.amazon import KEY, REGION, SECRET, Amazon
from tests.lab.marathon import Marathon

KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


async def findings(folder: Path, source: dict[str, Any], services: dict[str, Any]) -> list[Finding]:
    path = folder / "longshore.yaml"
    path.write_text(json.dumps({"sources": {"there": source}, "services": services}))
    loaded = load(path, {})
    settings = loaded.config.sources["there"]
    assert isinstance(settings, MarathonSource | Ec2Source)
    return await api(loaded, "there", settings, KEYS)


def said(found: list[Finding]) -> list[tuple[str, str, bool]]:
    return [(each.where, each.what, each.fine) for each in found]


async def test_marathon(tmp_path: Path) -> None:
    services = {app: {"from": {"source": "there", "app": f"/{app}"}} for app in ("web", "gone")}
    with Marathon() as marathon:
        source = {"type": "marathon", "url": marathon.url}
        marathon.run("/web", "10.0.0.5", 31001)
        assert said(await findings(tmp_path, source, services)) == [
            ("there /web", "1 task", True),
            ("there /gone", "Marathon knows no such app", False),
        ]
        assert said(await findings(tmp_path, source, {})) == [("there", "is not asked: no service is made of it", True)]
    [finding] = await findings(tmp_path, source, services)
    assert "refuses connections" in finding.what
    assert finding.hint


async def test_ec2(tmp_path: Path) -> None:
    services = {
        "web": {"from": {"source": "there", "label": ["Name=web", "stage!=test"], "port": 80}},
        "db": {"from": {"source": "there", "label": "Name=db", "port": 5432}},
    }
    with Amazon() as amazon:
        source = {"type": "ec2", "endpoint": amazon.url, "region": REGION}
        amazon.machine("i-1", "10.0.0.5", Name="web")
        amazon.machine("i-2", "10.0.0.6", Name="web", stage="test")
        assert said(await findings(tmp_path, source, services)) == [
            ("there web", "1 machine with these tags", True),
            ("there db", "0 machines with these tags", True),
        ]
        amazon.denied = True
        [finding] = await findings(tmp_path, source, services)
        assert "does not permit ec2:DescribeInstances" in finding.what
