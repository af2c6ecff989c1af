"""Certificates for tests, made by the openssl program: one authority, servers it signed."""

import ssl
import subprocess
from pathlib import Path

NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


class Authority:
    """Its certificate is `file`; `cert` and `key` are of a server on loopback."""

    def __init__(self, folder: Path, names: str = NAMES) -> None:
        self.file, ca_key = folder / "ca.pem", folder / "ca.key"
        self.cert, self.key = folder / "server.pem", folder / "server.key"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509")
        made = ("-days", "2", "-subj")
        openssl("req", *curve, *made, "/CN=ca", "-keyout", ca_key, "-out", self.file)
        signed = ("-CA", self.file, "-CAkey", ca_key, "-addext", names)
        openssl(
            "req", *curve, *made, "/CN=box", "-keyout", self.key, "-out", self.cert, *signed,
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
