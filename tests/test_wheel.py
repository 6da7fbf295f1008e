"""The wheel has what an installation needs beside the modules."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_everything_that_lies_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates, static files, migrations, and the mark that says that our types are meant for others."""
    monkeypatch.chdir(ROOT)
    with zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))) as wheel:
        inside = set(wheel.namelist())

    package = ROOT / "src" / "holdfast"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".pyo")]
    assert {path.relative_to(package.parent).as_posix() for path in files} <= inside
    assert "holdfast/py.typed" in inside
