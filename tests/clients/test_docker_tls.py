"""TCP with TLS and client certificates: what works, and what is said when it does not."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.faults import TlsFault
from longshore.clients.tls import TlsFiles, client_context
from tests.clients.fake_engine import FakeEngine, serving


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, an engine's certificate for 127.0.0.1 and a client's."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, address in (("engine", "127.0.0.1"), ("elsewhere", "192.0.2.1"), ("client", "127.0.0.1")):
        extension = ("-addext", f"subjectAltName=IP:{address}", "-addext", "basicConstraints=critical,CA:FALSE")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key")
        request = ("req", "-x509", *key, *extension, *signed, "-subj", f"/CN={name}")
        openssl(*request, "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return folder


def engine_context(pki: Path, certificate: str = "engine", ask: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / f"{certificate}.pem", pki / f"{certificate}.key")
    context.verify_mode = ssl.CERT_REQUIRED if ask else ssl.CERT_NONE
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the real one is not written in Python
    return context


def files(pki: Path, ca: str = "ca", cert: str = "client") -> TlsFiles:
    pair = (str(pki / f"{cert}.pem"), str(pki / f"{cert}.key")) if cert else ("", "")
    return TlsFiles(str(pki / f"{ca}.pem"), *pair)


async def test_an_engine_that_wants_a_client_certificate_gets_it(pki: Path) -> None:
    engine = FakeEngine()
    identity = engine.add("web")
    async with serving(engine, tls=engine_context(pki)) as host, DockerClient(host, tls=files(pki)) as client:
        assert await client.containers() == [identity]


async def test_an_engine_of_another_authority_is_not_trusted(pki: Path) -> None:
    async with serving(FakeEngine(), tls=engine_context(pki, ask=False)) as host:
        fault = await failure(DockerClient(host, tls=files(pki, ca="other")))
    assert f"the certificate of the Docker Engine at {host} is not accepted" in fault.what
    assert "CA" in fault.hint


async def test_a_certificate_for_another_address_is_not_accepted(pki: Path) -> None:
    async with serving(FakeEngine(), tls=engine_context(pki, "elsewhere", ask=False)) as host:
        fault = await failure(DockerClient(host, tls=files(pki)))
    assert "is not accepted" in fault.what
    assert "127.0.0.1" in fault.what


async def test_a_missing_client_certificate_is_told(pki: Path) -> None:
    async with serving(FakeEngine(), tls=engine_context(pki)) as host:
        fault = await failure(DockerClient(host, tls=files(pki, cert="")))
    assert "set tls cert and key" in fault.hint


async def test_tls_to_a_port_without_it_is_told(pki: Path) -> None:
    async with serving(FakeEngine()) as host:
        fault = await failure(DockerClient(host, tls=files(pki)))
    assert "does not speak TLS" in fault.what


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (TlsFiles(ca="none.pem"), "TLS CA none.pem: No such file or directory"),
        (TlsFiles(cert="none.pem", key="none.key"), "TLS certificate none.pem: No such file or directory"),
        (TlsFiles(key="client.key"), "TLS key client.key has no certificate"),
        (TlsFiles(ca="client.key"), "TLS CA client.key holds no usable certificate"),
        (
            TlsFiles(cert="client.pem", key="engine.key"),
            "TLS certificate and key do not load from client.pem and engin",
        ),
        (TlsFiles(cert="client.pem"), "TLS certificate and key do not load from client.pem"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    pki: Path, monkeypatch: pytest.MonkeyPatch, broken: TlsFiles, said: str
) -> None:
    monkeypatch.chdir(pki)
    with pytest.raises(TlsFault) as caught:
        client_context(broken)
    assert caught.value.what.startswith(said)
    assert caught.value.hint


async def test_broken_files_are_a_fault_of_the_client(tmp_path: Path) -> None:
    fault = await failure(DockerClient("tcp://127.0.0.1:1", tls=TlsFiles(ca=str(tmp_path / "none.pem"))))
    assert "none.pem" in fault.what


async def failure(client: DockerClient) -> DockerError:
    with pytest.raises(DockerError) as caught:
        async with client:
            pass
    return caught.value
