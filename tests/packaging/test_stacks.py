"""The stack files of deploy/swarm are whole: what they name is there, images are chosen, configurations are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from longshore import __version__
from longshore.cli.app import run
from tests.lab.authority import Authority

FOLDER = Path(__file__).parents[2] / "deploy" / "swarm"
NAMES = ("agents", "dns", "manager")


def stack(name: str) -> dict[str, Any]:
    found = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_there_is_a_stack_and_a_configuration_for_each_way() -> None:
    wanted = {f"{name}{kind}" for name in NAMES for kind in (".yaml", ".longshore.yaml")}
    assert {path.name for path in FOLDER.iterdir()} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_every_image_can_be_chosen_and_ours_is_of_this_version(name: str) -> None:
    for service, said in stack(name)["services"].items():
        wanted = "${IMAGE:-traefik/whoami}" if service == "web" else f"${{BALANCER_IMAGE:-longshore:{__version__}}}"
        assert said["image"] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_what_a_service_names_is_there(name: str) -> None:
    found = stack(name)
    for service in found["services"].values():
        assert set(service["networks"]) <= found["networks"].keys()
        for kind in ("configs", "secrets"):
            assert {each["source"] for each in service.get(kind, ())} <= found[kind].keys()
        volumes = {each.partition(":")[0] for each in service.get("volumes", ()) if each[0] not in "/$"}
        assert volumes <= found.get("volumes", {}).keys()
    assert all((FOLDER / config["file"]).is_file() for config in found["configs"].values())


@pytest.mark.parametrize("name", NAMES)
def test_only_the_socket_proxy_sees_an_engine_and_only_balancers_publish_at_their_node(name: str) -> None:
    for service, said in stack(name)["services"].items():
        sees = any("docker.sock" in volume for volume in said.get("volumes", ()))
        assert sees == (service == "socket-proxy")
        assert {port["mode"] for port in said.get("ports", ())} == ({"host"} if service == "longshore" else set())
        order = said["deploy"]["update_config"]["order"]
        alone = service in ("longshore", "socket-proxy")  # a port of a node and a socket are for one at a time
        assert order == ("stop-first" if alone else "start-first")


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_passes_the_check(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = Authority(tmp_path / "ca").sign("site")
    (tmp_path / "site.pem").write_text("".join(part.read_text() for part in parts))
    (tmp_path / "token").write_text("a-token-for-agents")
    (config,) = (each["file"] for each in stack(name)["configs"].values())
    text = (FOLDER / config).read_text()
    secrets = {each["target"] for each in stack(name)["services"]["longshore"]["secrets"]}
    assert set(re.findall(r"/run/secrets/[\w.]+", text)) == secrets
    (tmp_path / "longshore.yaml").write_text(text.replace("/run/secrets", str(tmp_path)))
    assert run(["check", "--config", str(tmp_path / "longshore.yaml")]) == 0, capsys.readouterr()
