"""The pages of the documentation, taken apart: headings, links, tables, fences.

    for fence in fences(read("docs/tutorial.md")): fence.language, fence.text, fence.line

A fence tagged `bash` or `python` is run by `tests/docs/test_examples.py`, in order, all of a page in one place; a fence
tagged `text` or `json` right after one is what it prints, with `...` for any text. Everything else is only read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+?)[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"(!?)\[[^\]\n]*\]\(([^)\s]+)\)")


class Fence(NamedTuple):
    """A block of code: its language, its text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int


class Link(NamedTuple):
    """A link of a page: where it goes, and whether it is a picture."""

    target: str
    picture: bool


def pages() -> list[Path]:
    """Every page, and those that lie beside `docs/`."""
    beside = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    return [*(ROOT / name for name in beside), *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """The page's path from the checkout."""
    return page.relative_to(ROOT).as_posix()


def fences(text: str) -> list[Fence]:
    """The blocks of code of a page, in order."""
    return [Fence(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in _FENCE.finditer(text)]


def prose(text: str) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", text)


def links(text: str) -> list[Link]:
    """The links of a page, those in its prose only."""
    return [Link(match[2], match[1] == "!") for match in _LINK.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for match in _HEADING.finditer(prose(text)):
        words = re.sub(r"[`*]|\[|\]\([^)]*\)", "", match[1]).lower()
        base = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        name, number = base, 0
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found.add(name)
    return found
