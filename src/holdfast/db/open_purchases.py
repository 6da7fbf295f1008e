"""What customers have bought and not brought back yet, while a file of sales is read: on the disk, not in memory.

    sold.add("17850", [("MUG-1", "2.55", sale_id, line_id, 6)])
    sold.take("17850", "MUG-1", "2.55", 2)     -> [Part(sale_id, line_id, 2)], and 4 are left

It is a temporary file of its own that is gone when it is closed; the shop's database never sees it.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_TAKE = (
    "SELECT id, sale_id, line_id, units FROM sold "
    "WHERE customer = ? AND sku = ? AND price = ? AND units > 0 ORDER BY id DESC"
)


class Part(NamedTuple):
    """Units of a sale's line."""

    sale_id: str
    line_id: str
    units: int


class Sold:
    """What customers have bought and not brought back, by SKU and price: a temporary SQLite file."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # an empty name: on the disk, gone when closed
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute("CREATE TABLE sold (id INTEGER PRIMARY KEY, customer, sku, price, sale_id, line_id, units)")
        self._file.execute("CREATE INDEX ix_sold ON sold (customer, sku, price)")

    def add(self, customer: str, lines: list[tuple[str, str, str, str, int]]) -> None:
        """Remember lines: (sku, price, sale id, line id, units) each."""
        self._file.executemany(
            "INSERT INTO sold (customer, sku, price, sale_id, line_id, units) VALUES (?, ?, ?, ?, ?, ?)",
            [(customer, *line) for line in lines],
        )

    def take(self, customer: str, sku: str, price: str, units: int) -> list[Part]:
        """Up to so many units that the customer has of a SKU at a price, the latest sale first; they count as back."""
        parts: list[Part] = []
        known = self._file.execute(_TAKE, (customer, sku, price)).fetchall()
        for key, sale_id, line_id, left in known:
            part = min(units, left)
            parts.append(Part(sale_id, line_id, part))
            units -= part
            self._file.execute("UPDATE sold SET units = units - ? WHERE id = ?", (part, key))
            if not units:
                break
        return parts

    def close(self) -> None:
        """Forget everything."""
        self._file.close()
