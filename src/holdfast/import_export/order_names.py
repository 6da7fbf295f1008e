"""What files call products, and which products these are here: the map that people fill in for lines without a SKU.

    file_sku,title,option,sku,suggestion,lines
    ,Handmade Mug,Blue,MUG-1,MUG-BLUE,12         title and option of a file's line, and the SKU that it is here
    ,Gift wrap,,custom,,3                        a line without stock
    X-9,Ring Dish,,,DISH-1 DISH-2,7              not decided yet: such lines wait

A dry run writes it, with products that have words in common with the title, rare words first. Nothing is decided by a
suggestion: only a title that is the very title of one product is filled in at once. A SKU that the file itself has, and
that is known here, needs no row.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

from holdfast.import_export.order_file import LineName
from holdfast.import_export.table import FileRefused, guarded, read_table, require_columns

MAP_COLUMNS = ("file_sku", "title", "option", "sku", "suggestion", "lines")

CUSTOM = "custom"
"""What the map has instead of a SKU for a line without stock."""

CUSTOM_SKU = "CUSTOM-LINE"
"""The service that lines without stock are lines of."""

SUGGESTIONS_MAX = 3
"""Products that are suggested for a name."""

_WORD = re.compile(r"[^\W_]+")


class Choice(NamedTuple):
    """What a row of the map says: the SKU or `custom` ("": not decided), what was suggested, of how many lines."""

    sku: str = ""
    suggestion: str = ""
    lines: int = 0


def key_of(name: LineName) -> LineName:
    """The name as it is compared: without case and outer white space."""
    return LineName(*(" ".join(text.split()).casefold() for text in name))


class NameMap:
    """The rows of a map, by the names of a file."""

    def __init__(self) -> None:
        self._rows: dict[LineName, tuple[LineName, Choice]] = {}

    @classmethod
    def read(cls, file: TextIO) -> NameMap:
        """The map of a file; refused when it is none, or says two things of one name."""
        table = read_table(file)
        require_columns(table, MAP_COLUMNS, ("sku",))
        found = cls()
        for line in table.lines:
            name = LineName(*(line.cells.get(column, "") for column in MAP_COLUMNS[:3]))
            lines = line.cells.get("lines", "")
            choice = Choice(
                line.cells.get("sku", ""), line.cells.get("suggestion", ""), int(lines) if lines.isdecimal() else 0
            )
            known = found._rows.get(key_of(name))
            if known is not None and known[1].sku != choice.sku:
                words = f"Line {line.number} of the map says {choice.sku!r} of {name.words!r}"
                raise FileRefused(f"{words}, a line before it {known[1].sku!r}.")
            found._rows[key_of(name)] = name, choice
        return found

    def sku_of(self, name: LineName) -> str:
        """The SKU that a name is here, or `custom`; blank when nobody has decided."""
        row = self._rows.get(key_of(name))
        return "" if row is None else row[1].sku

    def learn(self, names: Mapping[LineName, int], titles: Iterable[tuple[str, str]]) -> int:
        """Take in names that are new, with how many lines they are of; `titles` are (SKU, title) of products here. How
        many were new."""
        new = {name: lines for name, lines in names.items() if key_of(name) not in self._rows}
        words = _Titles(titles) if new else None
        for name, lines in new.items():
            assert words is not None
            self._rows[key_of(name)] = name, Choice(words.same(name), " ".join(words.alike(name)), lines)
        return len(new)

    def write(self, path: Path) -> None:
        """Write the map, those of most lines first."""
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(MAP_COLUMNS)
            for name, choice in sorted(self._rows.values(), key=lambda row: (-row[1].lines, row[0])):
                texts = (*name, choice.sku, choice.suggestion)
                rows.writerow((*map(guarded, texts), choice.lines or ""))


class _Titles:
    """Products by the words of their titles."""

    def __init__(self, titles: Iterable[tuple[str, str]]) -> None:
        self._with_word: dict[str, list[str]] = defaultdict(list)
        self._titled: dict[str, list[str]] = defaultdict(list)
        self._size: dict[str, int] = {}
        for sku, title in titles:
            own = _words(title)
            self._size[sku] = len(own)
            self._titled[" ".join(sorted(own))].append(sku)
            for word in own:
                self._with_word[word].append(sku)

    def same(self, name: LineName) -> str:
        """The only product with exactly the words of title and option; blank where there is none, or several."""
        own = _words(f"{name.title} {name.option}")
        found = self._titled.get(" ".join(sorted(own)), []) if own else []
        return found[0] if len(found) == 1 else ""

    def alike(self, name: LineName) -> list[str]:
        """The products that have most in common with the name: a word counts the more, the fewer products have it."""
        own = _words(f"{name.title} {name.option} {name.sku}")
        scores: dict[str, float] = defaultdict(float)
        for word in own:
            skus = self._with_word.get(word, [])
            for sku in skus:
                scores[sku] += 1 / len(skus)
        best = sorted(scores, key=lambda sku: (-scores[sku] / (self._size[sku] + len(own)), sku))
        return best[:SUGGESTIONS_MAX]


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text) if len(word) > 1 or word.isdigit())
