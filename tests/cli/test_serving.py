"""The real command in processes of its own: serve, one server to a SQLite file, commands beside it, clean ends."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from holdfast.app import Holdfast
from holdfast.cli.single_server import serving_alone
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate

HOLDFAST = (sys.executable, "-c", "from holdfast.cli import main; main()")
START_SECONDS_MAX = 60
pytestmark = pytest.mark.slow  # every process imports everything anew


def _environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return {**kept, "HOLDFAST_DATABASE_URL": url}


def _run(url: str, directory: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOLDFAST, *arguments],
        cwd=directory,
        env=_environment(url) | settings,
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )


class Server:
    """A server process that has said where it listens."""

    def __init__(self, process: subprocess.Popen[str], address: str, said: list[str], verified: ssl.SSLContext) -> None:
        self.process = process
        self.verified = verified
        self.address = address
        self.said = said

    def end(self, name: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(name)
        return self.process.wait(timeout=START_SECONDS_MAX)


@contextmanager
def _serving(
    url: str, directory: Path, *arguments: str, authority: trustme.CA | None = None, **settings: str
) -> Iterator[Server]:
    verified = ssl.create_default_context()
    if authority is not None:
        authority.configure_trust(verified)
    process = subprocess.Popen(
        [*HOLDFAST, *arguments, "--port", "0"],
        cwd=directory,
        env=_environment(url) | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            found = re.search(r"https?://[\d.]+:\d+", line)
            if found:
                server = Server(process, found.group(), said, verified)
                _wait_until_ready(server)
                yield server
                return
        raise AssertionError(f"the server ended with {process.wait()}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _wait_until_ready(server: Server) -> None:
    patience = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < patience:
        try:
            if httpx.get(f"{server.address}/readyz", verify=server.verified).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not become ready")


def test_a_server_and_commands_beside_it(database_url: str, tmp_path: Path) -> None:
    """serve sets an empty database up; what commands do beside it is seen at once; SIGTERM ends it cleanly."""
    with _serving(database_url, tmp_path, "serve") as server:
        made = json.loads(
            _run(database_url, tmp_path, "org", "create", "Acme", "--owner", "a@b.example", "--json").stdout
        )
        client = httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {made['api_key']}"})
        with client:
            assert client.get("/api/v1/products").json()["items"] == []
            (tmp_path / "products.csv").write_text("sku,title\nMUG-1,Mug\n")
            assert _run(database_url, tmp_path, "import", "products", "products.csv", "--org", "Acme").returncode == 0
            assert client.get("/api/v1/products/MUG-1").json()["title"] == "Mug"

        assert server.end() == 0


def test_one_server_to_one_sqlite_file(sqlite_url: str, tmp_path: Path) -> None:
    with _serving(sqlite_url, tmp_path, "serve") as server:
        (tmp_path / "same.db").symlink_to(tmp_path / "holdfast.db")
        for url in (sqlite_url, "sqlite:///holdfast.db", "sqlite:///same.db"):
            second = _run(url, tmp_path, "serve", "--port", "0")

            assert second.returncode == 1
            assert "Another process serves" in second.stderr and second.stderr.count("\n") == 1

        server.end(signal.SIGKILL)

    with _serving(sqlite_url, tmp_path, "serve") as server:
        assert server.end(signal.SIGINT) == 0


def test_https_by_a_certificate(sqlite_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    settings = {"HOLDFAST_TLS_CERTIFICATE": "server.pem", "HOLDFAST_TLS_KEY": "server.pem"}

    with _serving(sqlite_url, tmp_path, "serve", authority=authority, **settings) as server:
        assert server.address.startswith("https://")
        seen = httpx.get(f"{server.address}/sign-in", verify=server.verified)
        assert seen.status_code == 200 and seen.headers["strict-transport-security"] == "max-age=31536000"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(f"{server.address}/sign-in")
        with pytest.raises(httpx.TransportError):
            httpx.get(server.address.replace("https", "http"))
        assert server.end() == 0


def test_https_by_a_proxy_that_is_believed(sqlite_url: str, tmp_path: Path) -> None:
    """Whose word is taken is a setting: from others the header means nothing."""
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    for proxies, believed in (("127.0.0.1", True), ("203.0.113.1", False)):
        with _serving(sqlite_url, tmp_path, "serve", HOLDFAST_TRUSTED_PROXIES=proxies) as server:
            seen = httpx.get(f"{server.address}/sign-in", headers=said)
            assert ("strict-transport-security" in seen.headers) == believed
            assert server.end() == 0


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("server.pem", None, "belong together"),
        ("nothing.pem", "nothing.pem", "No such file"),
        ("a", "a", "cannot be used"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused_at_start(
    sqlite_url: str, tmp_path: Path, certificate: str, key: str | None, words: str
) -> None:
    (tmp_path / "a").write_text("no certificate")
    (tmp_path / "server.pem").write_text("")
    settings = {"HOLDFAST_TLS_CERTIFICATE": certificate} | ({} if key is None else {"HOLDFAST_TLS_KEY": key})
    for command in ("serve", "demo"):
        refused = _run(sqlite_url, tmp_path, command, "--port", "0", **settings)

        assert refused.returncode in (1, 2) and words in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1


def test_what_cannot_be_served_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    workers = _run(sqlite_url, tmp_path, "serve", "--workers", "2")
    assert workers.returncode == 2 and "PostgreSQL" in workers.stderr and workers.stderr.count("\n") == 1

    database = Database(sqlite_url)
    migrate(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    database.dispose()
    newer = _run(sqlite_url, tmp_path, "serve", "--port", "0")
    assert newer.returncode == 1 and "newer Holdfast" in newer.stderr

    away = _run("postgresql://nobody:secret@127.0.0.1:1/none", tmp_path, "serve", "--port", "0")
    assert away.returncode == 1 and "secret" not in away.stderr and away.stderr.count("\n") == 1


def test_several_workers_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    with _serving(postgres_url, tmp_path, "serve", "--workers", "2") as server:
        assert httpx.get(f"{server.address}/healthz").status_code == 200

        assert server.end() == 0


def test_the_demo_opens_a_shop(tmp_path: Path) -> None:
    """Within seconds: goods, orders, logins and a key; and it comes back as it was left."""
    with _serving("sqlite:///unused.db", tmp_path, "demo", "--directory", "shop", "--traffic") as server:
        stdout = server.process.stdout
        assert stdout is not None
        while not server.said[-1].startswith("API key"):
            server.said.append(stdout.readline())
        key = server.said[-1].split()[-1]
        headers = {"Authorization": f"Bearer {key}"}
        stats = httpx.get(f"{server.address}/api/v1/admin/inventory/stats", headers=headers).json()

        assert stats["total_entries"] > 400 and stats["total_reserved"] > 20
        assert any("ana@arcoiris.example" in line for line in server.said)
        assert server.end() == 0

    with _serving("sqlite:///unused.db", tmp_path, "demo", "--directory", "shop") as server:
        assert not any("Setting up" in line for line in server.said)
    assert not (tmp_path / "unused.db").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of files are those of Unix")
def test_the_files_beside_the_database_are_as_private_as_it_is(tmp_path: Path) -> None:
    """Whoever could open the lock could hold it, and no server would start. One that was open to all is closed."""
    before, modes = os.umask(0), dict[str, int]()
    try:
        for name in ("new.db", "old.db"):
            path = tmp_path / name
            if name == "old.db":
                path.with_name("old.db-server").touch(0o666)
            url = f"sqlite:///{path}"
            with Holdfast.open(url) as shop, serving_alone(str(path)), shop.database.reading():
                modes |= {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert {"new.db", "new.db-wal", "new.db-server", "old.db-server"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes
