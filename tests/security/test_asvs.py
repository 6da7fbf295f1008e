"""docs/reference/asvs.md is complete, and what it names is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import DOCS, ROOT

PAGE = DOCS / "reference" / "asvs.md"
HOLDS, APART, FAILS = "holds", "does not apply", "does not hold"

LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3", "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333", "6.6": "2223",
    "6.7": "33", "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222",
    "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222", "10.6": "22",
    "10.7": "222",
    "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23", "11.7": "33",
    "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233",
    "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
    "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip
"""The level of each requirement of ASVS 5.0.0, by section: 1.5.1 is of level 1, 1.5.2 of level 2, 1.5.3 of level 3."""

_ROW = re.compile(r"^\| ([\d.]+) \| ([12]) \| (.+?) \| ([a-z ]+) \| (.+) \|$", re.MULTILINE)
_COUNTS = re.compile(r"^\| (1|2|both) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)
_NAMED = re.compile(r"`([\w./-]+\.(?:py|md|html|js)(?:::\w+)?)`")


class Row(NamedTuple):
    """A requirement: its number and level, what it asks, what we say of it, and where, or why not."""

    id: str
    level: str
    short: str
    verdict: str
    where: str


def text() -> str:
    """The page."""
    return PAGE.read_text(encoding="utf-8")


def rows() -> list[Row]:
    """The requirements of the page."""
    return [Row(*match.groups()) for match in _ROW.finditer(text())]


def test_every_requirement_is_there_once() -> None:
    """All of levels 1 and 2, with their levels, in the standard's order."""
    wanted = [
        (f"{section}.{number}", level)
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, 1)
        if level in "12"
    ]

    assert Counter(level for _, level in wanted) == {"1": 70, "2": 183}
    assert [(row.id, row.level) for row in rows()] == wanted


def test_every_row_has_a_verdict_and_says_why() -> None:
    """There are three verdicts; what holds names what bears it out."""
    wrong = [row.id for row in rows() if row.verdict not in (HOLDS, APART, FAILS)]
    bare = [row.id for row in rows() if row.verdict == HOLDS and not _NAMED.search(row.where)]

    assert (wrong, bare) == ([], [])


def test_what_is_named_is_there() -> None:
    """A module of the package, or a file of the checkout; a test by its name."""
    missing = [f"{row.id}: {name}" for row in rows() for name in _NAMED.findall(row.where) if not exists(name)]

    assert missing == []


def test_the_counts_are_those_of_the_rows() -> None:
    """The table at the head adds up."""
    counted = Counter((row.level, row.verdict) for row in rows())
    of_both = Counter(row.verdict for row in rows())
    wanted = {
        level: [counted[level, verdict] for verdict in (HOLDS, APART, FAILS)] for level in ("1", "2")
    } | {"both": [of_both[verdict] for verdict in (HOLDS, APART, FAILS)]}  # fmt: skip

    shown = {match[1]: [int(one) for one in match.groups()[1:]] for match in _COUNTS.finditer(text())}
    assert shown == {level: [*numbers, sum(numbers)] for level, numbers in wanted.items()}


def test_steps_that_are_named_are_steps() -> None:
    """`step N of docs/how-to/secure.md` is a heading of that page."""
    page = (DOCS / "how-to" / "secure.md").read_text(encoding="utf-8")
    numbers = set(re.findall(r"^## (\d+)\. ", page, re.MULTILINE))

    assert set(re.findall(r"step (\d+) of `docs/how-to/secure.md`", text())) <= numbers


def exists(name: str) -> bool:
    """Is there such a file, and in it such a test?"""
    path, _, test = name.partition("::")
    file = next((one for one in (ROOT / "src" / "holdfast" / path, ROOT / path) if one.is_file()), None)
    return file is not None and (not test or test in _functions(file))


@lru_cache(maxsize=256)
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )  # fmt: skip


def test_the_test_would_notice() -> None:
    """Names that nobody has are missed."""
    assert exists("web/identity/auth.py") and exists("tests/security/test_asvs.py::test_the_test_would_notice")
    assert not exists("web/no_such.py")
    assert not exists("tests/security/test_asvs.py::test_nobody_wrote")
