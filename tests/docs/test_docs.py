"""What the pages mention exists: links, scripts, commands with their options, keys, settings; examples are valid."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from cyclopts import CycloptsError, MissingArgumentError

from longshore.cli.app import COMMANDS, FAMILIES, app
from longshore.config import load
from longshore.config.reference import configuration
from longshore.core import labels, spec
from longshore.core.keys import KEYS
from tests.docs.pages import ROOT, Page, longshore_commands, pages

PAGES = pages()
FILES = {"yaml", "sock"}  # longshore.yaml and longshore.sock are no labels
MISSPELT = {"wieght"}  # on purpose: the example of a typo
OTHER_VARIABLES = {"LONGSHORE_CONFIG"}

every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links():
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.is_relative_to(ROOT), f"{link} leads out of the project"
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in PAGES[str(target.relative_to(ROOT))].anchors(), f"{link}: there is no such heading"


@every_page
def test_commands_exist_with_their_options(page: Page) -> None:
    """Commands in blocks are complete; in a sentence a command may be named without its arguments."""
    shell = [line for block in page.blocks("sh", "bash") for line in block.replace("\\\n", " ").splitlines()]
    for line in shell:
        for words in longshore_commands(line):
            understood(words)
    for code in page.inline():
        if re.match(r"(?:\S+=\S+ |sudo )*(?:\S+/)?longshore [a-z-]", code):
            for words in longshore_commands(code):
                understood(words, whole=False)


def understood(words: list[str], *, whole: bool = True) -> None:
    """Fail if longshore would refuse these words."""
    words = [re.sub(r"^(?:[A-Z]+|\$\w+)$", "1", word) for word in words]  # TARGET, VERSION: anything
    assert words, "longshore does nothing without a command"
    name = " ".join(words[:2]) if words[0] in FAMILIES and len(words) > 1 else words[0]
    assert name in {*COMMANDS, *FAMILIES} or name.startswith("-"), f"there is no command {name}"
    try:
        app(words[0]).parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        assert not whole, f"longshore {' '.join(words)}: an argument is missing"
    except CycloptsError as error:
        pytest.fail(f"longshore {' '.join(words)}: {error}")


@every_page
def test_scripts_exist(page: Page) -> None:
    for name in re.findall(r"(?<![\w/.-])script/([a-z-]+)", page.text):
        script = ROOT / "script" / name
        assert os.access(script, os.X_OK), f"there is no script/{name}"


@every_page
def test_labels_are_keys(page: Page) -> None:
    for label in re.findall(r"(?<![\w/-])longshore\.((?:[a-z<][\w<>-]*)(?:\.[a-z<][\w<>-]*)*)", page.text):
        key = label.rpartition(".")[2]
        assert key in KEYS or key in FILES | MISSPELT or "<" in key, f"longshore.{label}: there is no key {key}"


@every_page
def test_variables_and_metrics_exist(page: Page) -> None:
    known = configuration()
    for name in re.findall(r"LONGSHORE_[A-Z_]+[A-Z]", page.text):
        assert f"`{name}" in known or name in OTHER_VARIABLES, f"there is no variable {name}"
    source = (ROOT / "src" / "longshore" / "agent" / "metrics.py").read_text()
    for name in re.findall(r"`longshore_([a-z_]+)`", page.text):
        assert f'"longshore_{name.removesuffix("_total")}"' in source, f"there is no metric longshore_{name}"


@every_page
def test_examples_in_yaml_are_valid(page: Page, tmp_path: Path) -> None:
    """Those with images are Compose files, whose labels are read; the others are configurations."""
    for block in page.blocks("yaml"):
        services = compose_services(block, tmp_path)
        if services is None:
            written = tmp_path / "longshore.yaml"
            written.write_text(block)
            assert [str(problem) for problem in load(written, {}).problems] == []
        else:
            assert [fault for service in services for fault in faults(service)] == []


def compose_services(block: str, folder: Path) -> list[dict[str, Any]] | None:
    """Return the services of a Compose file; None: it is something else."""
    from ruamel.yaml import YAML

    services = (YAML(typ="safe").load(block) or {}).get("services", {})
    return list(services.values()) if services and all("image" in each for each in services.values()) else None


def faults(service: dict[str, Any]) -> list[object]:
    """Return what is wrong with the labels of a Compose service."""
    given = service.get("labels", {})
    assert all(isinstance(value, str) for value in given.values()), f"Compose wants text, so quote it: {given}"
    said = labels.split(given, "container")
    wrong = [fault for pairs in said.services.values() for fault in spec.check(dict(pairs))[1]]
    return [*said.problems, *wrong]


def test_who_starts_is_led_on_to_every_tutorial() -> None:
    tutorials = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs" / "tutorials").glob("*.md")}
    assert tutorials <= set(PAGES["docs/start.md"].links())


def test_the_example_of_the_readme_is_the_one_in_the_folder() -> None:
    example = (ROOT / "examples" / "shop" / "compose.yaml").read_text()
    assert example in PAGES["README.md"].blocks("yaml")
    assert len(example.splitlines()) <= 20


def test_the_readme_starts_with_its_two_commands() -> None:
    first = PAGES["README.md"].blocks("sh")[0].splitlines()
    assert [line.split()[0] for line in first] == ["script/demo", "script/test"]


def test_decisions_have_one_number_each_and_start_from_an_example() -> None:
    decisions = {name: page for name, page in PAGES.items() if name.startswith("docs/adr/")}
    numbers = [int(Path(name).name[:4]) for name in decisions]
    assert numbers == list(range(1, len(numbers) + 1))
    for number, page in zip(numbers, decisions.values(), strict=True):
        lines = [line for line in page.text.splitlines() if line]
        assert lines[0].startswith(f"# {number}. "), page.name
        assert lines[1].startswith("**Example.**"), page.name


def test_fragments_of_the_changelog_are_named_by_their_kind() -> None:
    for path in (ROOT / "changelog.d").iterdir():
        assert path.name == "README.md" or re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", path.name)
        assert not path.read_text().startswith("#") or path.name == "README.md"
