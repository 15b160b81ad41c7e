"""Every version of HAProxy takes what is rendered for it without a word, and takes servers at runtime as promised."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from longshore.core.model import Endpoint, Policy, Route, Service
from longshore.core.profile import profile_of
from longshore.core.render import Paths
from tests.core.layouts import BALANCES, LAYOUTS, POLICIES
from tests.haproxy.app import app
from tests.haproxy.rendered import capabilities, certificate, endpoint, run, server_for, write_files
from tests.lab.haproxy import every_version, haproxy

pytestmark = pytest.mark.system

SERVICES = {name: Service(name, routes=(Route(f"{name}.test"),), policy=p) for name, p in POLICIES.items()} | {
    f"h{n}": Service(f"h{n}", policy=Policy(balance=balance)) for n, balance in enumerate(BALANCES)
}


@every_version
@pytest.mark.parametrize("name", LAYOUTS)
def test_haproxy_accepts_every_layout_without_warnings(series: str, name: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="longshore-"))
    try:
        certificate(folder / "certs")
        caps, paths = capabilities(series), Paths(str(folder))
        write_files(LAYOUTS[name](caps, paths), caps, {})
        checked = subprocess.run(
            [haproxy(series), "-c", "-f", paths.config], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        assert checked.stderr == "", "HAProxy warns"
    finally:
        shutil.rmtree(folder)


@every_version
async def test_servers_are_added_at_runtime_with_the_words_of_the_configuration(series: str) -> None:
    """For every policy and algorithm; only those of profiles that say so are refused."""
    async with run(series, *SERVICES.values()) as rendered:
        for service in SERVICES.values():
            dynamic = profile_of(service, rendered.caps, rendered.paths).dynamic
            for address in ("10.0.0.1", "fd00::2"):
                server = server_for(service, Endpoint(address, "it's", address, 80, backup=True), rendered)
                said = await rendered.command(f"add server s:{service.name}/{server.name} {server.definition}")
                assert ("New server registered" in said) == dynamic, f"{service.name}: {said}"


@pytest.mark.parametrize("series", ["3.4"])
async def test_backends_are_made_at_runtime_from_every_profile(series: str) -> None:
    """And serve: with HAProxy 3.4 a service whose profile is known needs no slot."""
    async with app("it") as it, run(series, *SERVICES.values()) as rendered:
        for name, service in SERVICES.items():
            profile = profile_of(service, rendered.caps, rendered.paths)
            said = await rendered.command(f"add backend new:{name} from {profile.name} mode http")
            assert "New backend registered" in said, f"{name}: {said}"
            if profile.dynamic:
                await rendered.add(f"new:{name}", server_for(service, endpoint(it), rendered))
            await rendered.command(f"add map {rendered.paths.route_map('')} {name}.new/ new:{name}")
            await rendered.command(f"publish backend new:{name}")
        statuses = {name: (await rendered.ask(host=f"{name}.new")).status for name in SERVICES}
        odd = {name: status for name, status in statuses.items() if status != 200}
        assert odd == {
            "sticky": 308,
            "safe": 404,  # answers only over TLS
            "secure-verified": 503,  # the app speaks no TLS
            "secure-insecure": 503,
        } | {f"h{n}": 503 for n, balance in enumerate(BALANCES) if balance == "static-rr"}
