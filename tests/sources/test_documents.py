"""Documents by their URL: S3, the web and files, and what is said when they cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longshore.clients.faults import Fault
from longshore.config.toggle import FromToggle
from longshore.sources.documents import LIMIT, fetch
from tests.lab.amazon import KEY, REGION, SECRET, Amazon
from tests.lab.api import Api, Call, Reply

KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


class Pages(Api):
    """A web server with one page."""

    def reply(self, call: Call) -> Reply:
        if call.path == "/moved":
            return Reply(status=302, headers={"Location": "/page?x=1"})
        return Reply(b"primary: 1") if call.target == "/page?x=1" else Reply(b"x" * (LIMIT + 1), 200)


async def content(url: str, **more: Any) -> bytes:
    return await fetch(FromToggle.model_validate({"url": url, **more}), KEYS)


async def test_an_object_of_s3() -> None:
    with Amazon() as amazon:
        amazon.objects["/toggles/web/a%20b.yaml"] = b"primary: 1"
        there = {"endpoint": amazon.url, "region": REGION}
        assert await content("s3://toggles/web/a b.yaml", **there) == b"primary: 1"
        with pytest.raises(Fault, match="has no such object"):
            await content("s3://toggles/web/c.yaml", **there)
        amazon.denied = True
        with pytest.raises(Fault, match="does not permit s3:GetObject"):
            await content("s3://toggles/web/a b.yaml", **there)


async def test_a_page() -> None:
    with Pages() as pages:
        assert await content(f"{pages.url}/page?x=1") == b"primary: 1"
        assert await content(f"{pages.url}/moved") == b"primary: 1"
        with pytest.raises(Fault, match="larger than 1 MiB"):
            await content(f"{pages.url}/large")
        pages.mood = 503
        with pytest.raises(Fault, match="answers 503"):
            await content(f"{pages.url}/page?x=1")
    with pytest.raises(Fault, match="refuses connections"):
        await content(f"{pages.url}/page?x=1")


async def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a toggle.yaml"
    with pytest.raises(Fault, match="No such file"):
        await content(f"file://{path}")
    path.write_text("primary: 1")
    assert await content(f"file://{path}") == b"primary: 1"
