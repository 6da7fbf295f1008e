"""What a format of files is: whose it is, and under which headers its fields stand.

ETSY = Layout("etsy", "Etsy's sold order items", "etsy", {"order_number": ("order id",), "sku": ("sku",), ...}, ...)
nearest(LAYOUTS, columns)       -> the format that comes nearest to a header that is none of them
answer_to(layout, columns, ...) -> what was recognised and what is missing, in whole words
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from holdfast.import_export.order_time import DayOrder

NAMED_MAX = 12
"""Headers that are named."""


class Layout(NamedTuple):
    """A format: its name, whose it is, the source of its orders, and where its fields stand (headers in lower case).

    `marks` are headers by which it is known, `needed` fields without which it cannot be read.
    """

    name: str
    whose: str
    source: str
    columns: Mapping[str, tuple[str, ...]]
    marks: tuple[str, ...]
    needed: tuple[str, ...]
    day_order: DayOrder = DayOrder.YEAR_FIRST
    tax_name: str = "Tax"
    tax_included: bool | None = None

    def headers(self, field: str) -> tuple[str, ...]:
        """The headers under which a field may stand."""
        return self.columns.get(field, ())

    def cell(self, cells: Mapping[str, str], field: str) -> str:
        """The cell of a field, blank where there is none."""
        return next((cells[name].removeprefix("'") for name in self.headers(field) if cells.get(name)), "")

    def has(self, columns: Iterable[str], field: str) -> bool:
        """Has a file with these columns the field?"""
        return any(name in self.headers(field) for name in columns)

    @property
    def known(self) -> frozenset[str]:
        """Every header of it."""
        return frozenset(name for names in self.columns.values() for name in names)


def missing_of(layout: Layout, columns: Collection[str]) -> list[str]:
    """Headers that a file lacks and the format needs: of a field that has several, its first."""
    return [layout.headers(field)[0] for field in layout.needed if not layout.has(columns, field)]


def nearest(layouts: Iterable[Layout], columns: Collection[str]) -> Layout:
    """The format of which a header has most: needed fields first."""

    def nearness(layout: Layout) -> tuple[int, int]:
        needed = sum(layout.has(columns, field) for field in layout.needed)
        return needed * 2 - len(layout.needed), sum(layout.has(columns, field) for field in layout.columns)

    return max(layouts, key=nearness)


def answer_to(layout: Layout, columns: Sequence[str], missing: Sequence[str], hint: str, *, sure: bool) -> str:
    """What is said of a header that cannot be read."""
    there = [name for name in columns if name]
    known = [name for name in there if name in layout.known]
    begin = (
        f"The file is {layout.whose}."
        if sure
        else f"The header is of no format that is known; nearest is {layout.whose}."
    )
    found = f"recognised: {listed(known)}" if known else f"none of its columns is recognised; it has {listed(there)}"
    lacking = f"; missing: {listed(missing)}" if missing else ""
    return f"{begin} {found[0].upper()}{found[1:]}{lacking}. {hint}"


def listed(names: Sequence[str]) -> str:
    """Headers in quotes, the first few of many."""
    more = len(names) - NAMED_MAX
    return ", ".join(repr(name[:40]) for name in names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
