"""Which files a Nerve configuration consists of, and what becomes of broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compat.nerve_written import SERVICE, Read, wrote


def put(path: Path, said: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said if isinstance(said, str) else json.dumps(said, indent=1))
    return path


def names(found: Read) -> list[str]:
    return list(found.register["services"])


YAML = """
host: 10.0.0.5
port: 6379
zk_hosts: [zk1:2181]
zk_path: /nerve/services/cache/services
checks: [{type: redis}]
"""


@pytest.mark.parametrize("key", [pytest.param("service_conf_dir", id="A3 service_conf_dir")])
def test_services_may_have_files_of_their_own(tmp_path: Path, key: str) -> None:
    """JSON or YAML; theirs wins over one of the same name in the main file; a broken one does not stop the others."""
    main = put(
        tmp_path / "nerve.conf.json", {"instance_id": "i-1", "services": {"web": SERVICE, "api": SERVICE}, key: "d"}
    )
    put(tmp_path / "d/web.json", SERVICE | {"port": 9000})
    put(tmp_path / "d/cache.yaml", YAML)
    put(tmp_path / "d/broken.json", '{"host": "10.0.0.5",\n "port": 80')
    put(tmp_path / "d/list.yaml", "- a\n- b\n")
    put(tmp_path / "d/notes.txt", "not a service")
    found = wrote(main)
    assert names(found) == ["web", "api", "cache"]
    assert found.service["port"] == 9000
    assert any("service web is passed over: it has a file of its own" in note for note in found.notes)
    places = [text.partition(": ")[0] for text in found.problems]
    assert places == ["d/broken.json:2:12", "d/list.yaml:1:1"]
    assert "is no service: expected a mapping" in found.problems[1]
    assert found.loaded.valid is not None


def test_a_folder_is_read_by_its_main_file(tmp_path: Path) -> None:
    put(tmp_path / "nerve.yaml", f"instance_id: i-1\nservices:\n web: {json.dumps(SERVICE)}\n")
    put(tmp_path / "other.json", SERVICE)
    assert names(wrote(tmp_path)) == ["web"]


def test_a_folder_without_a_main_file_holds_services(tmp_path: Path) -> None:
    put(tmp_path / "web.json", SERVICE)
    put(tmp_path / "cache.yaml", YAML)
    found = wrote(tmp_path, {"NERVE_INSTANCE_ID": "i-1"})
    assert sorted(names(found)) == ["cache", "web"]
    assert not found.problems
    assert wrote(tmp_path).problems[0].endswith("say it there, with --instance-id, or in NERVE_INSTANCE_ID")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "holds no configuration of Nerve; it must hold nerve.conf.json"),
        (
            {"a.json": {"instance_id": "a"}, "b.json": {"instance_id": "b"}},
            "b.json is a whole configuration, and so is a",
        ),
        (
            {"a.json": {"instance_id": "a", "service_conf_dir": "nowhere"}},
            "service_conf_dir: there is no folder nowhere",
        ),
        ({"a.json": {"instance_id": "a", "service_conf_dir": 5}}, "service_conf_dir must be the path of a folder"),
        ({"a.json": {"instance_id": "a", "services": ["web"]}}, "services must be a mapping, not a list"),
    ],
)
def test_what_leaves_nothing_to_work_with_is_said(tmp_path: Path, files: dict[str, Any], problem: str) -> None:
    for name, said in files.items():
        put(tmp_path / name, said)
    found = wrote(tmp_path)
    assert found.loaded.valid is None
    assert any(problem in text for text in found.problems), found.problems


def test_a_file_that_is_none(tmp_path: Path) -> None:
    assert "does not exist" in wrote(tmp_path / "nowhere.json").problems[0]
    assert "is empty" in wrote(put(tmp_path / "empty.json", "")).problems[0]
    assert "expected a mapping" in wrote(put(tmp_path / "list.json", "[]")).problems[0]


@pytest.mark.parametrize("option", [pytest.param("overlay", id="A3 -o (Yelp): config-overlay")])
def test_an_overlay_is_merged(tmp_path: Path, option: str) -> None:
    """Mappings are merged, everything else is replaced; complaints name the file that says it."""
    main = put(tmp_path / "nerve.json", {"instance_id": "i-1", "services": {"web": SERVICE}, "service_conf_dir": "d"})
    put(tmp_path / "d/cache.yaml", YAML)
    said = {
        "heartbeat_path": "/run/beat",
        "services": {
            "web": {"weight": 7, "labels": {"az": "a"}, "wieght": 1},
            "cache": {"port": 6380, "checks": []},
            "new": SERVICE,
            "bad": {"host": "10.0.0.5"},
        },
    }
    over = put(tmp_path / "over.json", said)
    more: dict[str, Any] = {option: over}
    found = wrote(main, **more)
    assert found.register["heartbeat-file"] == "/run/beat"
    services = found.register["services"]
    assert (services["web"]["weight"], services["web"]["port"]) == (7, 3000)
    assert (services["cache"]["port"], services["cache"]["check"]) == (6380, "none")
    assert list(services) == ["web", "cache", "new"]
    assert [text.partition(":")[0] for text in found.problems] == ["over.json"] * len(found.problems) != []
    assert any(note.startswith("over.json:") and "wieght" in note for note in found.notes)
    assert any("the overlay is read again at SIGHUP" in note for note in found.notes)
    by_environment = wrote(main, {"NERVE_CONFIG_OVERLAY": str(over)})
    assert by_environment.register == found.register


@pytest.mark.parametrize("text", ["", "{}", "\n"])
def test_a_blank_overlay_changes_nothing(tmp_path: Path, text: str) -> None:
    main = put(tmp_path / "nerve.json", {"instance_id": "i-1", "services": {"web": SERVICE}})
    found = wrote(main, overlay=put(tmp_path / "over.json", text))
    assert not found.problems
    assert names(found) == ["web"]
