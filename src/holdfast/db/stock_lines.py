"""The lines of a stock file beside the opening stock that the books have: on the disk, not in memory.

    with StockLines() as lines:
        lines.learn(database, org_id, 2)                       the lines of all opening receipts
        lines.add([(2, b"...", Meaning(mug, main, "A7", 40, 3_500_000))])
        for part in lines.read(500): part[0].taken             True: the books have it already

A line is known by what it means. Of equal lines so many are taken already as the books have. Opening stock of a
product, location and lot code is said as a whole: when the books have a line of it that the file does not have, the
file says something else (`differs`), and whether its other lines come on top is not for a program to guess.

It is a temporary file of its own that is gone when it is closed; the shop's database is only read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, Self

import sqlalchemy as sa

from holdfast.core.records.number import from_unit_cost
from holdfast.core.records.product import Product
from holdfast.db import schema
from holdfast.db.engine import Database

RECEIPTS = 500
"""Receipts that are read together."""

SAMPLE_MAX = 3
"""Lines of the books that are named when a file says something else."""


class Meaning(NamedTuple):
    """What a line of opening stock means: units in smallest units, the unit cost in 10**-6 of the major unit."""

    product_id: str
    location_id: str
    lot_code: str | None
    units: int
    unit_cost: int
    expires_at: int | None = None
    expires_on: str | None = None

    @property
    def group(self) -> tuple[str, str, str]:
        """What the line is opening stock of.

        Zeros in front of a lot code do not count here, nor does its case: a spreadsheet takes such zeros away.
        """
        code = (self.lot_code or "").casefold()
        return self.product_id, self.location_id, (code.lstrip("0") or "0") if code.isdecimal() else code

    @property
    def text(self) -> str:
        """The rest of the meaning, as one text."""
        return repr(self[2:])


class KeptLine(NamedTuple):
    """A line of the file. `identity` is what it means, None where nobody could tell what it is about.

    `which` of equal lines it is, counted from 1; `place_line` is the first line about its product and location.
    `differs` names what the books have and the file does not, of the same product, location and lot code.
    """

    number: int
    payload: bytes
    identity: str | None
    which: int
    taken: bool
    place_line: int
    differs: str | None


class StockLines:
    """A file's lines and the books' opening stock: a temporary SQLite file."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # an empty name: on the disk, gone when closed
        for statement in _TABLES:
            self._file.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def learn(self, database: Database, org_id: str, minor_digits: int) -> None:
        """Read the lines of all opening receipts of the organisation."""
        for part in _opening_lines(database, org_id, minor_digits):
            self._file.execute("BEGIN")
            self._file.executemany(
                "INSERT INTO book VALUES (?, ?, ?, ?, ?)", [(*line.group, line.text, words) for line, words in part]
            )
            self._file.execute("COMMIT")

    def add(self, lines: Iterable[tuple[int, bytes, Meaning | None]]) -> None:
        """Add lines of the file: number (a row may have several), payload, meaning."""
        rows = [
            (number, payload, *((None,) * 4 if meaning is None else (*meaning.group, meaning.text)))
            for number, payload, meaning in lines
        ]
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO line VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
        self._file.execute("COMMIT")

    def read(self, size: int) -> Iterator[list[KeptLine]]:
        """The lines in the order of the file, so many at a time."""
        for statement in _COMPARE:
            self._file.execute(statement)
        rows = self._file.execute(_READ)
        while part := rows.fetchmany(size):
            yield [
                KeptLine(number, payload, identity, which, which <= booked, place_line, differs)
                for number, payload, identity, which, booked, place_line, differs in part
            ]


def _opening_lines(database: Database, org_id: str, minor_digits: int) -> Iterator[list[tuple[Meaning, str]]]:
    receipt, lot, product = schema.receipt, schema.lot, schema.product
    asked = sa.select(receipt.c.location_id, receipt.c.lines).where(
        receipt.c.org_id == org_id, receipt.c.kind == "opening", receipt.c.taken_back_at.is_(None)
    )
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=RECEIPTS).execute(asked)
        for part in rows.partitions():
            lines = [(str(place), line) for place, received in part for line in received]
            lots = _by_id(connection, lot, org_id, {line["lot_id"] for _, line in lines})
            products = _by_id(connection, product, org_id, {line["product_id"] for _, line in lines})
            yield [
                _booked(place, line, lots[line["lot_id"]], products[line["product_id"]], minor_digits)
                for place, line in lines
            ]


def opening_taken_back(database: Database, org_id: str) -> int:
    """How many receipts of opening stock were taken back: their lines may come again."""
    receipt = schema.receipt.c
    asked = sa.select(sa.func.count()).where(
        receipt.org_id == org_id, receipt.kind == "opening", receipt.taken_back_at.is_not(None)
    )
    with database.reading() as connection:
        return int(connection.execute(asked).scalar_one())


def _by_id(connection: sa.Connection, table: sa.Table, org_id: str, ids: set[str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    asked = sorted(ids)
    for start in range(0, len(asked), RECEIPTS):
        part = asked[start : start + RECEIPTS]
        rows = connection.execute(sa.select(table).where(table.c.org_id == org_id, table.c.id.in_(part)))
        known.update({str(row.id): row for row in rows})
    return known


def _booked(place: str, line: dict[str, Any], lot: Any, product: Any, minor_digits: int) -> tuple[Meaning, str]:
    """A received line as a meaning, and in words."""
    units = Product(id="", sku="", title="", precision=product.precision).units(Decimal(str(line["quantity"])))
    assert units is not None, line
    meaning = Meaning(line["product_id"], place, lot.code, units, lot.unit_cost, lot.expires_at, lot.expires_on)
    return meaning, f"{line['quantity']} at {from_unit_cost(lot.unit_cost, minor_digits)}"


_TABLES = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE book (product, location, code, meaning, words)",
    "CREATE TABLE line (id INTEGER PRIMARY KEY, number, payload, product, location, code, meaning)",
)
_GROUP = "product, location, code"
_COMPARE = (
    f"CREATE INDEX ix_line ON line ({_GROUP}, meaning, id)",
    f"""CREATE TABLE booked AS SELECT {_GROUP}, meaning, min(words) AS words, count(*) AS times
        FROM book GROUP BY {_GROUP}, meaning""",
    f"CREATE UNIQUE INDEX ix_booked ON booked ({_GROUP}, meaning)",
    f"""CREATE TABLE said AS SELECT {_GROUP}, meaning, count(*) AS times
        FROM line WHERE product IS NOT NULL GROUP BY {_GROUP}, meaning""",
    f"CREATE UNIQUE INDEX ix_said ON said ({_GROUP}, meaning)",
    f"""CREATE TABLE missing AS
        SELECT product, location, code, words, row_number() OVER (PARTITION BY {_GROUP} ORDER BY words) AS place
        FROM booked LEFT JOIN said USING ({_GROUP}, meaning) WHERE booked.times > coalesce(said.times, 0)""",
    f"""CREATE TABLE other AS SELECT {_GROUP}, group_concat(words, ', ') AS words
        FROM missing WHERE place <= {SAMPLE_MAX} GROUP BY {_GROUP}""",
    f"CREATE UNIQUE INDEX ix_other ON other ({_GROUP})",
    f"""CREATE TABLE place AS SELECT id,
        row_number() OVER (PARTITION BY {_GROUP}, meaning ORDER BY id) AS which,
        min(number) OVER (PARTITION BY product, location) AS first
        FROM line WHERE product IS NOT NULL""",
    "CREATE UNIQUE INDEX ix_place ON place (id)",
)
_READ = """
SELECT l.number, l.payload, l.product || ' ' || l.location || ' ' || l.meaning, coalesce(p.which, 1),
    coalesce(b.times, 0), coalesce(p.first, l.number), o.words
FROM line l
LEFT JOIN place p ON p.id = l.id
LEFT JOIN booked b
    ON b.product = l.product AND b.location = l.location AND b.code = l.code AND b.meaning = l.meaning
LEFT JOIN other o ON o.product = l.product AND o.location = l.location AND o.code = l.code
ORDER BY l.id
"""
