"""A CSV file as lines of named cells, and what becomes of them; how single cells are read."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple, TextIO

import msgspec

from holdfast.core.gtin import is_gtin
from holdfast.core.number import instant_of
from holdfast.organisation import NotPossible, text_of

WAITING_MAX = 500
"""Lines that are on their way at once: enough for full batches."""

CELL_BYTES_MAX = 16_000_000
"""Largest cell: product descriptions of other systems are whole pages."""

NAMED_MAX = 10_000
"""Bad lines that are kept to be named; of more only the number is known."""

Progress = Callable[[int], None]


class FileRefused(ValueError):
    """The file as a whole cannot be read; the message says why."""


class BadLine(ValueError):
    """A line cannot be taken; the message says why."""


class Named(NamedTuple):
    """Something to say about a line of the file."""

    line: int
    words: str


class Outcome(msgspec.Struct):
    """What became of a file's lines. `skipped` were taken earlier; `notes` are about lines that were taken."""

    added: int = 0
    changed: int = 0
    skipped: int = 0
    refused: int = 0
    bad: list[Named] = []
    notes: list[Named] = []

    def refuse(self, line: int, words: str) -> None:
        """Count a bad line and keep its words."""
        self.refused += 1
        if len(self.bad) < NAMED_MAX:
            self.bad.append(Named(line, words))


class Line(NamedTuple):
    """A line of the file: its number (of its first row of text), and its cells by column name."""

    number: int
    cells: Mapping[str, str]


class Table(NamedTuple):
    """A CSV file: its column names in lower case, and its lines."""

    columns: tuple[str, ...]
    lines: Iterator[Line]


def read_table(file: TextIO) -> Table:
    """Read a CSV file with a header; commas, semicolons or tabs. The file must be opened with newline=""."""
    csv.field_size_limit(CELL_BYTES_MAX)
    try:
        first = file.readline()
        if not first.strip():
            raise FileRefused("The file is empty: its first line must name the columns.")
        delimiter = max(",;\t", key=first.count)
        columns = tuple(name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileRefused("The file is not CSV in UTF-8: save it as `CSV UTF-8`.") from error
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise FileRefused(f"The column {min(twice)!r} stands in the header twice.")
    return Table(columns, _lines(file, delimiter, columns))


def _lines(file: TextIO, delimiter: str, columns: tuple[str, ...]) -> Iterator[Line]:
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise FileRefused(f"Line {number} or one after it is not UTF-8: save the file as `CSV UTF-8`.") from error
        except csv.Error as error:
            raise FileRefused(f"Line {number} is not CSV: {error}.") from error
        if any(cell.strip() for cell in cells):
            filled = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
            if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                filled[""] = "more cells than columns"
            yield Line(number, filled)


def test_columns(table: Table, known: tuple[str, ...], needed: tuple[str, ...]) -> None:
    unknown = [name for name in table.columns if name and name not in known]
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise FileRefused(f"The header has no column {missing[0]!r}; it has {', '.join(table.columns)[:200]}.")
    if unknown:
        raise FileRefused(f"The column {unknown[0]!r} is not known; there is {', '.join(known)}.")


def test_width(cells: Mapping[str, str]) -> None:
    if cells.get(""):
        raise BadLine("The line has more cells than the header has columns.")


_SPREADSHEET_NUMBER = re.compile(r"\d([.,]\d+)?e\+?\d+", re.IGNORECASE)


def text_cell(name: str, text: str) -> str:
    try:
        return text_of(text, name)
    except NotPossible as error:
        raise BadLine(str(error)) from error


def flag_cell(name: str, text: str) -> bool:
    flags = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in flags:
        raise BadLine(f"{name} {text[:40]!r} must be true or false.")
    return flags[text.lower()]


def precision_cell(name: str, text: str) -> int:
    if text not in ("0", "1", "2", "3", "4"):
        raise BadLine(f"{name} {text[:40]!r} must be 0 to 4.")
    return int(text)


def quantity_cell(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(text) > 40:
        raise BadLine(f"{name} {text[:40]!r} is no number such as 12 or 0.25.")
    return number


def instant_cell(name: str, text: str) -> int:
    at = instant_of(text)
    if at is None:
        raise BadLine(f"{name} {text[:40]!r} is no time such as 2027-03-01T09:00:00Z.")
    return at


def gtin_cell(name: str, text: str) -> str:
    """The GTIN of a cell: 8, 12, 13 or 14 digits with the right check digit."""
    digits = text.removeprefix("'")
    if _SPREADSHEET_NUMBER.fullmatch(digits):
        raise BadLine(f"{name} {digits!r}: a spreadsheet has rounded it; format the column as text and export again.")
    if not is_gtin(digits):
        raise BadLine(f"{name} {digits[:40]!r} is no GTIN: 8, 12, 13 or 14 digits, the last one checking the others.")
    return digits
