"""A configuration that is read again: a service that was good goes on as it was while its file is broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from longshore.compat import nerve, synapse
from longshore.config import Loaded, load
from longshore.config.document import Document
from longshore.config.load import left_out
from longshore.core.model import Problem
from tests.compat.synapse_written import DOCKER, ENSEMBLE, HAPROXY, SERVERS, STUB

TOP = HAPROXY | {"shared_frontend": ["bind :80"]}
BROKEN = "{"


@pytest.fixture
def reread(tmp_path: Path) -> Callable[..., Loaded]:
    """Write files of services, None removes one, and read them after what was read last."""
    main = tmp_path / "synapse.json"
    main.write_text(json.dumps({"service_conf_dir": "services", "haproxy": TOP}))
    return partial(_read, tmp_path, main, [], lambda: synapse.read(main, {}, root=True))


def _read(folder: Path, main: Path, read: list[Loaded], foreign: Callable[[], Document], **files: Any) -> Loaded:
    (folder / "services").mkdir(exist_ok=True)
    for name, content in files.items():
        file = folder / "services" / f"{name}.json"
        if content is None:
            file.unlink()
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
    found = load(None, {}, root=True, foreign=foreign, last=read[-1] if read else None)
    assert not found.problems
    read.append(found)
    return found


def service(port: int, discovery: Any = STUB, **haproxy: Any) -> dict[str, Any]:
    return {"discovery": discovery, "default_servers": SERVERS, "haproxy": {"port": port} | haproxy}


def told(loaded: Loaded) -> str:
    return "\n".join(map(str, loaded.set_aside))


def test_it_goes_on_with_its_source_and_its_lines_for_as_long_as_its_file_is_broken(
    reread: Callable[..., Loaded],
) -> None:
    shared = ["acl web path_beg /web", "use_backend web if web"]
    good = reread(web=service(8001, DOCKER, shared_frontend=shared), other=service(8002))
    for broken in (BROKEN, "", {"discovery": {"method": "dokcer"}}, {"discovery": {"method": "base"}, "xy": 1}):
        again = reread(web=broken)
        assert again.config.services == good.config.services
        assert again.config.sources == good.config.sources
        assert again.raw == good.raw
        assert "services/web.json" in told(again)
        assert "its last good version goes on" in told(again)
        assert left_out(again) == frozenset()
    assert set(reread(web=None).config.services) == {"other"}


def test_the_others_change_meanwhile(reread: Callable[..., Loaded]) -> None:
    reread(web=service(8001), other=service(8002))
    again = reread(web=BROKEN, other=service(8003), new=service(8004))
    listening = {name: spec.listen for name, spec in again.specs.items()}
    assert listening == {"web": ("127.0.0.1:8001",), "other": ("127.0.0.1:8003",), "new": ("127.0.0.1:8004",)}


def test_who_was_never_good_is_left_out(reread: Callable[..., Loaded]) -> None:
    for _ in range(2):
        loaded = reread(web=BROKEN, other=service(8002, backend=["use-server a if { src 1.2.3.4 }"]))
        assert set(loaded.config.services) == {"other"}
        assert "goes on" not in told(loaded)
        assert left_out(loaded) == {"web"}


def test_another_one_that_took_its_place_keeps_it(reread: Callable[..., Loaded]) -> None:
    reread(web=service(8001), more=service(8002))
    again = reread(web=BROKEN, more=BROKEN, new=service(8001))
    assert set(again.config.services) == {"more", "new"}
    assert told(again).count("goes on") == 1


def test_a_source_that_has_changed_since_is_another_one(reread: Callable[..., Loaded]) -> None:
    reread(web=service(8001, ENSEMBLE), other=service(8002))
    again = reread(web=BROKEN, other=service(8002, ENSEMBLE | {"decode": {"method": "serverset"}}))
    layouts = {name: source.layout for name, source in again.config.sources.items()}  # type: ignore[union-attr]
    assert layouts == {"zookeeper-zk1": "serverset", "zookeeper-zk1-before": "nerve"}
    assert [item.source for item in again.config.services["web"].origins] == ["zookeeper-zk1-before"]


def test_what_nerve_registers_goes_on(tmp_path: Path) -> None:
    main = tmp_path / "nerve.json"
    main.write_text(json.dumps({"instance_id": "i", "services": {}, "service_conf_dir": "services"}))
    reread = partial(_read, tmp_path, main, [], partial(nerve.read, main, {}))
    web = {"host": "10.0.0.1", "port": 80, "zk_hosts": ["zk1:2181"], "zk_path": "/web"}
    good = reread(web=web, other=web | {"zk_path": "/other", "zk_hosts": ["zk2"]})
    again = reread(web=BROKEN)
    assert again.config.register_ == good.config.register_
    assert Problem in map(type, (each.as_problem() for each in again.set_aside))
    assert reread(other=BROKEN).config.sources == good.config.sources
