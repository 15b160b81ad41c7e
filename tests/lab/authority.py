"""A certificate authority for tests, made by the `openssl` program: servers, clients, clients without a common name."""

from __future__ import annotations

import subprocess
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
LOOPBACK = "DNS:localhost,IP:127.0.0.1"


class Authority:
    """One CA in a folder: `<name>.pem` and `<name>.key` for each that was signed, `ca.pem` for all who trust it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._openssl(
            "req", "-x509", *NEW_KEY, "-days", "30", "-subj", "/CN=lab", "-keyout", "ca.key", "-out", "ca.pem"
        )

    @property
    def ca(self) -> Path:
        """The certificate everybody trusts."""
        return self.folder / "ca.pem"

    def sign(self, name: str, subject: str = "", names: str = LOOPBACK, days: int = 30) -> tuple[Path, Path]:
        """Return (certificate, key) made under `name`; `subject` is "/CN=<name>" unless said, "/O=lab" has no CN."""
        subject = subject or f"/CN={name}"
        self._openssl("req", *NEW_KEY, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        signing = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        self._openssl(*signing, "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True, timeout=60)
