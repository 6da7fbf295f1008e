"""Types that msgspec learns: by one thread each, wherever the code uses one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.races import first_use

SOURCES = Path(first_use.__file__).resolve().parents[2] / "src" / "holdfast"


def _types_used(tree: ast.AST) -> Iterator[tuple[int, ast.expr | None]]:
    """(line, the type) of every call that makes msgspec learn one; None where the call names no type."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, named = node.func.attr, {keyword.arg: keyword.value for keyword in node.keywords}
        whole = ast.unparse(node.func)
        if whole == "msgspec.convert":
            yield node.lineno, named.get("type", node.args[1] if len(node.args) > 1 else None)
        elif whole.startswith("msgspec.") and name == "Decoder" and (node.args or "type" in named):
            yield node.lineno, named.get("type", node.args[0] if node.args else None)
        elif whole.startswith("msgspec.") and name == "decode" and "type" in named:
            yield node.lineno, named["type"]


def test_every_type_is_learned_before_it_is_used():
    """No module gives msgspec a type that did not pass `learned`, under whatever name msgspec is imported."""
    used, unlearned = 0, []
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text())
        imported = [node.names for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        names = {alias.name for aliases in imported for alias in aliases}
        assert not names & {"convert", "Decoder"}, f"{path.name}: msgspec's functions are called by their whole names"
        for line, kind in _types_used(tree):
            used += 1
            learns = isinstance(kind, ast.Call) and ast.unparse(kind.func) == "learned"
            if not learns and path.name != "learned_type.py":
                unlearned.append(f"{path.relative_to(SOURCES)}:{line}")
    assert used > 10
    assert unlearned == []


@pytest.mark.parametrize("times", range(3))
def test_threads_that_are_the_first_to_give_a_command_all_get_an_answer(times):
    """Eight threads give every command for the first time at the same moment, in a process that did nothing yet."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.races.first_use"],
        cwd=SOURCES.parents[1],
        check=False,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout == "8 threads were answered.\n"
