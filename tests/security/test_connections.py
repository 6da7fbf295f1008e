"""Which connections there are: HTTPS of today's versions inwards, the database outwards, and nothing else."""

from __future__ import annotations

import ast
import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import holdfast
from tests.cli.test_serving import HOLDFAST, START_SECONDS_MAX, _environment

_OUTWARDS = {"ftplib", "http.client", "httpx", "imaplib", "requests", "smtplib", "telnetlib", "urllib.request",
             "urllib3", "xmlrpc"}  # fmt: skip
_DANGEROUS = {"code", "ctypes", "marshal", "pickle", "pty", "runpy", "shelve", "subprocess", "xml", "yaml"}
_SOCKETS = {"cli/serving.py"}
"""Who may use sockets: the one that listens."""
MADE_OF_DECLARATIONS = {("core/records/plain.py", "exec")}
"""Code that is made while Holdfast runs: of what the types of commands declare, never of a value."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    package = Path(holdfast.__file__).parent
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


def test_nothing_is_called_but_the_database() -> None:
    """No module can open a connection to another service, so none can be made to open one (SSRF)."""
    found = [
        (path, name)
        for path, tree in _modules()
        for name in _imported(tree)
        if name in _OUTWARDS or name.split(".")[0] in _OUTWARDS or (name == "socket" and path not in _SOCKETS)
    ]

    assert found == []


def test_nothing_runs_what_came_from_outside() -> None:
    """No program is started, no code is made of data, and data is read by nothing that could make objects of it."""
    found = [(path, name) for path, tree in _modules() for name in _imported(tree) if name.split(".")[0] in _DANGEROUS]
    calls = [
        (path, node.func.id)
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("compile", "eval", "exec", "__import__")
        and (path, node.func.id) not in MADE_OF_DECLARATIONS
    ]

    assert (found, calls) == ([], [])


# HTTPS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of `holdfast serve` with a certificate for localhost."""
    place = tmp_path_factory.mktemp("https")
    made = trustme.CA().issue_cert("localhost")
    made.private_key_pem.write_to_path(str(place / "key.pem"))
    for part in made.cert_chain_pems:
        part.write_to_path(str(place / "certificate.pem"), append=True)
    files = {"HOLDFAST_TLS_CERTIFICATE": "certificate.pem", "HOLDFAST_TLS_KEY": "key.pem"}
    process = subprocess.Popen(
        [*HOLDFAST, "serve", "--port", "0"],
        cwd=place,
        env={**_environment("sqlite:///shop.db"), **files},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "https://" in line, line
            yield int(line.split("https://", 1)[1].split()[0].rpartition(":")[2])
        finally:
            process.terminate()


def _shake(port: int, **limits: ssl.TLSVersion | str) -> tuple[str, str]:
    """The version and cipher of a handshake within these limits."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in limits.items():
        if name == "ciphers":
            context.set_ciphers(str(value))
        else:
            setattr(context, name, value)
    until = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            plain = socket.create_connection(("127.0.0.1", port), timeout=10)
            with plain, context.wrap_socket(plain) as safe:
                cipher = safe.cipher()
                assert cipher is not None
                return str(safe.version()), cipher[0]
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.mark.slow
def test_the_newest_version_is_spoken(https: int) -> None:
    """With a client that may choose it is TLS 1.3, with one of before TLS 1.2, of forward secrecy."""
    assert _shake(https)[0] == "TLSv1.3"
    version, cipher = _shake(https, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert (version, cipher.startswith("ECDHE-")) == ("TLSv1.2", True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(https: int) -> None:
    """TLS 1.0 and 1.1 are not spoken, and neither is plain HTTP."""
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, OSError)):
            _shake(https, minimum_version=version, maximum_version=version, ciphers="ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", https), timeout=10) as plain, contextlib.suppress(ConnectionError):
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in plain.recv(4096)
