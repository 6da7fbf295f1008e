#!/usr/bin/env python3
"""Everything one does with a checkout of Holdfast, with nothing but Python 3.11 or newer.

    python3 dev.py demo    set up, then serve a demo shop on port 8000
    python3 dev.py test    set up, then run all tests (arguments go to pytest)
    python3 dev.py check   set up, then format, lint, types and import rules
    python3 dev.py bench   set up, then benchmarks (arguments go to them)
    python3 dev.py setup   only set up: uv in .tools, everything else in .venv
    python3 dev.py lock    compile the lock files anew (arguments go to uv, such as --upgrade)
    python3 dev.py sbom    set up, then write sbom.json: the components of requirements.lock (CycloneDX 1.6)

Setting up installs exactly what requirements-dev.lock names, with its hashes, and does nothing when that file
has not changed; uv itself is what requirements-setup.lock names. It writes nothing outside the checkout but the
caches of pip and uv, needs no root, and never touches the Python that runs it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
WINDOWS = os.name == "nt"
PROGRAMS = VENV / ("Scripts" if WINDOWS else "bin")
LOCK = ROOT / "requirements-dev.lock"
RUNTIME_LOCK = ROOT / "requirements.lock"
SETUP_LOCK = ROOT / "requirements-setup.lock"
SBOM = ROOT / "sbom.json"
STAMP = VENV / "holdfast-setup.json"
WORKERS_MAX = 8  # test processes; each starts a PostgreSQL of its own


class Failed(Exception):
    """A step did not work; the message says what to do about it."""


class Tampered(Failed):
    """A package is not what its lock says, so nothing of it was installed; no other way is tried."""


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    commands = {
        "setup": setup,
        "demo": demo,
        "test": test,
        "check": check,
        "bench": bench,
        "lock": lock,
        "sbom": sbom,
    }
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    command = commands.get(arguments[0])
    if command is None:
        print(f"dev.py: there is no command {arguments[0]!r}; choose {', '.join(commands)}.", file=sys.stderr)
        return 2
    try:
        return command(arguments[1:])
    except Failed as failure:
        print(f"dev.py: {failure}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"dev.py: {error.filename} cannot be used by this user. Was the checkout set up by another one? "
            "Then remove .venv and .tools, or use a checkout of your own.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


# --- the commands ---------------------------------------------------------------------------------------


def setup(arguments: list[str]) -> int:
    """Make .venv what the lock says, and install the project into it."""
    if arguments:
        raise Failed(f"setup takes no arguments, and got {' '.join(arguments)}.")
    if not make_ready():
        say(f"Nothing to do: {VENV.name} is what {LOCK.name} says.")
    say(f"The command is {program('holdfast').relative_to(ROOT)}")
    return 0


def demo(arguments: list[str]) -> int:
    """Serve the demo shop."""
    make_ready()
    return become([str(program("holdfast")), "demo", *arguments])


def test(arguments: list[str]) -> int:
    """Run the tests, on several cores unless asked otherwise."""
    make_ready()
    alone = any(a.startswith(("-n", "--numprocesses", "--pdb", "--trace")) or a == "-s" for a in arguments)
    parallel = [] if alone else ["-n", str(min(cores(), WORKERS_MAX)), "--dist", "loadgroup"]
    return become([str(program("python")), "-m", "pytest", *parallel, *arguments])


def check(arguments: list[str]) -> int:
    """Run every check, all of them even when one fails, and name each with its time."""
    if arguments:
        raise Failed(f"check takes no arguments, and got {' '.join(arguments)}.")
    make_ready()
    checks = {
        "format": [str(program("ruff")), "format", "--check", "."],
        "lint": [str(program("ruff")), "check", "."],
        "types": [str(program("mypy"))],
        "imports": [str(program("lint-imports"))],
    }
    failed = []
    for name, command in checks.items():
        started = time.perf_counter()
        result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        verdict = "failed" if result.returncode else "ok"
        say(f"{name:<8} {verdict:<6} {time.perf_counter() - started:5.1f} s")
        if result.returncode:
            failed.append(name)
            print(result.stdout.decode(errors="replace").strip(), flush=True)
    if failed:
        print(f"dev.py: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def bench(arguments: list[str]) -> int:
    """Run the benchmarks."""
    make_ready()
    return become([str(program("python")), "-m", "benchmarks", *arguments])


def lock(arguments: list[str]) -> int:
    """Compile the lock files from pyproject.toml, for every platform, without naming an index."""
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"]
    options += ["--no-emit-index-url", "--quiet", *arguments]
    compile_ = [*uv_command(), "pip", "compile", *options]
    project = [*compile_, "pyproject.toml"]
    setting_up = [*compile_, "--group", "pyproject.toml:setup", "--only-binary", ":all:"]
    step(f"Compiling {SETUP_LOCK.name}", *setting_up, "-o", SETUP_LOCK.name)
    step(f"Compiling {RUNTIME_LOCK.name}", *project, "-o", RUNTIME_LOCK.name)
    development = ["--group", "dev", "--constraints", RUNTIME_LOCK.name, "-o", LOCK.name]
    step(f"Compiling {LOCK.name}", *project, *development)
    return 0


def sbom(arguments: list[str]) -> int:
    """Write what an installation is made of, with versions and hashes; the same lock gives the same file."""
    if arguments:
        raise Failed(f"sbom takes no arguments, and got {' '.join(arguments)}.")
    make_ready()
    tool = [str(program("cyclonedx-py")), "requirements", RUNTIME_LOCK.name, "--pyproject", "pyproject.toml"]
    form = ["--spec-version", "1.6", "--output-format", "JSON", "--output-reproducible", "--validate"]
    step(f"Writing {SBOM.name}", *tool, *form, "--output-file", SBOM)
    return 0


# --- setting up -----------------------------------------------------------------------------------------


def make_ready() -> bool:
    """Bring .venv up to date; whether there was anything to do."""
    wanted = {
        "lock": digest(LOCK),
        "project": digest(ROOT / "pyproject.toml"),
        "place": str(ROOT),  # an environment does not survive being moved
    }
    found = read_stamp()
    usable = os.path.exists(program("python"))  # noqa: PTH110 - Path.exists raises on a forbidden folder
    if usable and found == wanted:
        return False
    keep = usable and found.get("place", wanted["place"]) == wanted["place"]
    if not keep or found.get("lock") != wanted["lock"]:
        STAMP.unlink(missing_ok=True)
        install_locked(keep)
    install_project()
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")
    return True


def read_stamp() -> dict[str, str]:
    """What the last complete setup recorded; nothing if there was none."""
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


def install_locked(keep: bool) -> None:
    """Install what the lock names: with uv, or where it cannot be had or does not succeed, with pip."""
    try:
        uv = uv_command()
        if not keep:
            step(f"Making {VENV.name}", *uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV)
        sync = [*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(program("python"))]
        step(f"{INSTALLING} the first time)", *sync, LOCK, environment=uv_environment())
    except Tampered:
        raise
    except Failed as failure:
        say(f"uv did not do it, so pip is tried. {failure}")
        step(f"Making {VENV.name}", sys.executable, "-m", "venv", "--clear", VENV, hint=VENV_HINT)
        pip = [str(program("python")), "-m", "pip", "install", "--quiet", "--require-hashes"]
        step(f"{INSTALLING})", *pip, "-r", LOCK, hint=NETWORK_HINT)


def install_project() -> None:
    """Install the project itself, editable; the build backend is in the lock, so no index is asked."""
    python = str(program("python"))
    if has_pip(python):
        install = [python, "-m", "pip", "install"]
    else:
        install = [*uv_command(), "pip", "install", "--python", python]
    options = ["--quiet", "--no-deps", "--no-build-isolation"]
    step("Installing holdfast itself, editable", *install, *options, "--editable", ROOT)


def uv_command() -> list[str]:
    """The command that runs uv, which is brought into .tools, with its hash, unless it is there already."""
    version = uv_version()
    if not (TOOLS / f"uv-{version}.dist-info").is_dir():
        pip = pip_command()
        if pip is None:
            on_path = shutil.which("uv")
            if on_path:
                return [on_path]
            raise Failed(f"There is no pip to bring uv with. {VENV_HINT}")
        install = [*pip, "install", "--quiet", "--upgrade", "--target", str(TOOLS), "--no-deps"]
        locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(SETUP_LOCK)]
        step(f"Bringing uv {version} into {TOOLS.name}", *install, *locked, hint=NETWORK_HINT)
    for folder in ("bin", "Scripts"):
        found = shutil.which("uv", path=str(TOOLS / folder))
        if found:
            return [found]
    raise Failed(f"uv is not where pip should have put it; remove {TOOLS} and try again.")


def uv_version() -> str:
    """The version of uv that its lock names."""
    try:
        named = re.search(r"^uv==([\w.]+)", SETUP_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    except FileNotFoundError:
        named = None
    if named is None:
        raise Failed(f"{SETUP_LOCK.name} is missing from this checkout, or does not name uv.")
    return named[1]


def pip_command() -> list[str] | None:
    """The command that runs pip: this Python's own, else one in an environment made for it."""
    if has_pip(sys.executable):
        return [sys.executable, "-m", "pip"]
    environment = TOOLS / "pip"
    python = environment / PROGRAMS.name / "python"
    if not has_pip(python):
        try:
            step("Making an environment for pip", sys.executable, "-m", "venv", "--clear", environment)
        except Failed:
            return None
    return [str(python), "-m", "pip"] if has_pip(python) else None


def has_pip(python: str | Path) -> bool:
    """Whether this Python can run pip."""
    try:
        result = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return result.returncode == 0


def uv_environment() -> dict[str, str]:
    """Our environment, with the package index that pip is configured for, since uv does not read that."""
    environment = tool_environment()
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & environment.keys():
        index = environment.get("PIP_INDEX_URL", "")
        if not index and has_pip(sys.executable):
            asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
            index = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        if index:
            environment["UV_DEFAULT_INDEX"] = index
    return environment


def tool_environment() -> dict[str, str]:
    """Our environment, without what would send pip or uv elsewhere than where we point them."""
    environment = dict(os.environ)
    environment.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    environment.setdefault("UV_PYTHON_DOWNLOADS", "never")
    trusted = ssl.get_default_verify_paths()
    if trusted.cafile or (trusted.capath and any(Path(trusted.capath).iterdir())):
        environment.setdefault("UV_SYSTEM_CERTS", "true")  # a company's proxy is trusted there, not by uv
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises for a user without one
    if not os.access(home, os.W_OK):
        environment.setdefault("UV_CACHE_DIR", str(TOOLS / "cache"))
        environment.setdefault("PIP_CACHE_DIR", str(TOOLS / "cache-pip"))
    return environment


# --- small things ---------------------------------------------------------------------------------------

VENV_HINT = "On Debian and Ubuntu: apt install python3-venv (or python3-pip), then run this again."
INSTALLING = "Installing what the lock names (some 150 MB"
WRONG_HASH = re.compile(r"DO NOT MATCH THE HASHES|Hash mismatch for")  # pip's words, and uv's
TAMPERED_HINT = (
    "A file that came is not the one that the lock names. Either the package index (or something before it) gives "
    "another file, which you should find out before anything else, or the lock was edited by hand."
)
NETWORK_HINT = "Is the package index reachable? pip's and uv's own settings and proxies apply."


def step(what: str, *command: str | Path, hint: str = "", environment: dict[str, str] | None = None) -> None:
    """Run one quiet command with a line saying what it does and how long it took."""
    print(f"{what} ...", end="", flush=True)
    started = time.perf_counter()
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment or tool_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    seconds = time.perf_counter() - started
    if result.returncode == 0:
        print(f" {seconds:.1f} s", flush=True)
        return
    print(f" failed after {seconds:.1f} s", flush=True)
    output = result.stdout.decode(errors="replace").strip()
    if WRONG_HASH.search(output):
        raise Tampered(f"{what} was stopped, and nothing was installed.\n{output}\n{TAMPERED_HINT}")
    raise Failed(f"{what} did not work.\n{output}\n{hint}".rstrip())


def say(line: str) -> None:
    """Print one line now."""
    print(line, flush=True)


def program(name: str) -> Path:
    """Where .venv has this program."""
    return PROGRAMS / (f"{name}.exe" if WINDOWS else name)


def digest(path: Path) -> str:
    """The SHA-256 of a file that has to be there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise Failed(f"{path.name} is missing from this checkout.") from None


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def become(command: list[str]) -> int:
    """Let the command take our place, with our terminal, environment and signals."""
    if not os.path.exists(command[0]):  # noqa: PTH110 - as above
        raise Failed(f"{Path(command[0]).name} is not in {VENV.name}; remove {VENV.name} and run setup again.")
    os.chdir(ROOT)
    sys.stdout.flush()
    if not WINDOWS:
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is run by whatever Python is there
        print("dev.py: Holdfast needs Python 3.11 or newer; this is " + sys.version.split()[0], file=sys.stderr)
        sys.exit(1)
    sys.exit(main(sys.argv[1:]))
