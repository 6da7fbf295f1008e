"""What dev.py brings is what the locks name: uv by its hash, and the list of components is the lock's."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import dev

LOCKS = ("requirements-setup.lock", "requirements.lock", "requirements-dev.lock")
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)[^\n]*\\\n((?:    --hash=\S+(?: \\)?\n?)+)", re.MULTILINE)


def pinned(lock: str) -> dict[tuple[str, str], frozenset[str]]:
    """What a lock names: each name and version with its hashes (SHA-256, hexadecimal)."""
    text = (dev.ROOT / lock).read_text(encoding="utf-8")
    return {(m[1], m[2]): frozenset(re.findall(r"sha256:([0-9a-f]{64})", m[3])) for m in _PINNED.finditer(text)}


# The locks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_has_a_version_and_a_hash(lock: str) -> None:
    """Nothing is installed that was not seen before; where it comes from is the installer's setting, not ours."""
    text = (dev.ROOT / lock).read_text(encoding="utf-8")

    starts = [line.split("==")[0] for line in text.splitlines() if not line.startswith("    ")]
    found = pinned(lock)
    assert sorted(name for name, _ in found) == sorted(starts)
    assert all(found.values())
    assert "://" not in text


def test_the_lock_for_setting_up_is_uv_alone() -> None:
    """The version is that of pyproject.toml, and dev.py reads it from the lock."""
    assert list(pinned("requirements-setup.lock")) == [("uv", dev.uv_version())]
    assert f'setup = ["uv=={dev.uv_version()}"]' in (dev.ROOT / "pyproject.toml").read_text(encoding="utf-8")


# uv by its hash ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A pip, made as dev.py makes one where the Python that runs it has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dev, "TOOLS", tmp_path_factory.mktemp("tools"))
        found = dev.pip_command()
    assert found is not None
    return found


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pip: list[str]) -> Path:
    """A package index with one wheel, called uv; dev.py brings it into an empty folder of tools."""
    version = dev.uv_version()
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    made = shelf / f"uv-{version}-py3-none-any.whl"
    files = {
        f"uv-{version}.data/scripts/uv": b"#!python\nprint('uv')\n",
        f"uv-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: uv\nVersion: {version}\n".encode(),
        f"uv-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items())
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in (files | {f"uv-{version}.dist-info/RECORD": record.encode()}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | 0o755) << 16  # a program
            archive.writestr(entry, content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(dev, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(dev, "VENV", tmp_path / "venv")
    monkeypatch.setattr(dev, "PROGRAMS", tmp_path / "venv" / dev.PROGRAMS.name)
    monkeypatch.setattr(dev, "STAMP", tmp_path / "venv" / "stamp.json")
    monkeypatch.setattr(dev, "SETUP_LOCK", tmp_path / "requirements-setup.lock")
    monkeypatch.setattr(dev, "pip_command", lambda: pip)
    return made


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _lock(digest: str) -> None:
    dev.SETUP_LOCK.write_text(f"uv=={_uv()} \\\n    --hash=sha256:{digest}\n", encoding="utf-8")


def _uv() -> str:
    return next(version for _, version in pinned("requirements-setup.lock"))


def test_the_file_that_the_lock_names_is_installed(wheel: Path) -> None:
    """The same way as below, with the right hash."""
    _lock(hashlib.sha256(wheel.read_bytes()).hexdigest())

    (command,) = dev.uv_command()

    assert Path(command).is_relative_to(dev.TOOLS)


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("command", ["setup", "lock"])
def test_another_file_stops_everything(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is installed, pip is not tried for the rest, and the message says what happened."""
    _lock(hashlib.sha256(b"another file").hexdigest())

    code = dev.main([command])

    said = capsys.readouterr()
    assert code == 1
    assert "was stopped, and nothing was installed" in said.err
    assert "not the one that the lock names" in said.err
    assert "pip is tried" not in said.out
    assert not dev.VENV.exists()
    assert not dev.TOOLS.exists() or list(dev.TOOLS.iterdir()) == []


@pytest.mark.usefixtures("wheel")
def test_a_package_that_has_to_be_built_is_not_taken(wheel: Path) -> None:
    """Building runs code that no hash covers."""
    source = wheel.with_name(f"uv-{_uv()}.tar.gz")
    wheel.rename(source)
    _lock(hashlib.sha256(source.read_bytes()).hexdigest())

    with pytest.raises(dev.Failed, match=r"No matching distribution"):
        dev.uv_command()


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("text", [None, "", "pip==26.0 \\\n    --hash=sha256:00\n"])
def test_a_lock_without_uv_is_named(text: str | None) -> None:
    """A checkout that lost the file is told so."""
    if text is not None:
        dev.SETUP_LOCK.write_text(text, encoding="utf-8")

    with pytest.raises(dev.Failed, match=r"requirements-setup\.lock is missing from this checkout, or does not name"):
        dev.uv_command()


# The list of components ----------------------------------------------------------------------------------------------


@pytest.fixture
def components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What `dev.py sbom` writes."""
    monkeypatch.setattr(dev, "SBOM", tmp_path / "sbom.json")
    monkeypatch.setattr(dev, "PROGRAMS", Path(sys.executable).parent)
    monkeypatch.setattr(dev, "make_ready", lambda: False)
    assert dev.main(["sbom"]) == 0
    return dev.SBOM.read_bytes()


@pytest.mark.slow
def test_the_components_are_what_the_lock_names(components: bytes) -> None:
    """Names, versions and hashes, no more and no fewer; and nothing that differs from run to run."""
    bom = json.loads(components)

    found = {(one["name"], one["version"]): _hashes(one) for one in bom["components"]}
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert found == pinned("requirements.lock")
    assert len(found) == len(bom["components"])
    assert bom["metadata"]["component"]["name"] == "holdfast"
    assert "serialNumber" not in bom
    assert "timestamp" not in bom["metadata"]
    assert dev.main(["sbom"]) == 0
    assert dev.SBOM.read_bytes() == components


def _hashes(component: dict[str, Any]) -> frozenset[str]:
    references = component["externalReferences"]
    return frozenset(h["content"] for one in references for h in one["hashes"] if h["alg"] == "SHA-256")


def test_the_command_takes_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """A name of a file would be ignored otherwise."""
    assert dev.main(["sbom", "there.json"]) == 1
    assert "sbom takes no arguments" in capsys.readouterr().err
