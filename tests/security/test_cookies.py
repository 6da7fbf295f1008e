"""Cookies are read in one pass over their bytes, by our own reader alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import holdfast.web
from holdfast.web.identity.cookies import VALUE_MAX, cookies_of


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"", {}),
        (b"a=1; b=2;c=3", {"a": "1", "b": "2", "c": "3"}),
        (b"a=1; a=2", {"a": "1"}),
        (b"a; =; b=", {}),
        (b'a="1"', {"a": '"1"'}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=\xe9", {"a": "\xe9"}),
        (b"a=" + b"x" * VALUE_MAX, {"a": "x" * VALUE_MAX}),
        (b"a=" + b"x" * (VALUE_MAX + 1) + b"; b=2", {"b": "2"}),
        (b'a="' + b"\\a" * 30_000 + b'"; b=2', {"b": "2"}),
    ],
)
def test_what_a_header_holds(header: bytes, found: dict[str, str]) -> None:
    assert cookies_of(header) == found


def test_nothing_of_the_library_reads_cookies() -> None:
    """Its parser needs the square of a quoted value's length: one header stopped the process for seconds."""
    readers = []
    for path in Path(holdfast.web.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "cookies":
                readers.append(f"{path.name}:{node.lineno}")
            if isinstance(node, ast.ImportFrom | ast.Import) and "http.cookies" in ast.unparse(node):
                readers.append(f"{path.name}:{node.lineno}")

    assert readers == []
