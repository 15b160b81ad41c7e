"""Real Compose v2 works with the lab's engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.compose import Compose
from tests.lab.engine import Engine
from tests.lab.waiting import until

pytestmark = pytest.mark.system


def test_a_project_comes_up_scales_and_goes_down(engine: Engine, tmp_path: Path) -> None:
    shop = Compose(engine, tmp_path, "shop", {"web": {"labels": {"longshore.host": "shop.test"}}})
    shop.up(web=2)
    web = shop.containers("web")
    assert [each.name for each in web] == ["shop-web-1", "shop-web-2"]
    assert {until(each.get).split()[0] for each in web} == {f"host={each.short}" for each in web}
    shop.up(web=3)
    assert len(shop.containers("web")) == 3
    shop("down", "--timeout", "1")
    assert engine.containers() == []
