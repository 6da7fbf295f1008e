"""A CSV file as lines of named cells, and what became of them.

    table = read_table(file, frozenset({"price"}))     the lines of a file; `price` is a column of numbers
    for line in table.lines: line.cells["sku"]         texts without white space around them

A file may begin with blank lines, or with `sep=;`, as spreadsheets write it. The decimal sign is a point. In a file
with semicolons or tabs it is a comma when no number of the file has a decimal point. An apostrophe that keeps a
spreadsheet from running a cell as a formula is taken off, as `export` put it there. Refused as a whole (FileRefused):
what is not CSV in UTF-8, or has a column twice. How single cells are read stands in `cells`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from tempfile import TemporaryFile
from typing import NamedTuple, Self, TextIO

import msgspec

from holdfast.core.records.rejection import Rejected
from holdfast.core.records.text import composed
from holdfast.import_export.rows import FileRow, Rows

WAITING_MAX = 500
"""Lines that are on their way at once: enough for full batches."""

CELL_BYTES_MAX = 16_000_000
"""Largest cell: product descriptions of other systems are whole pages."""

NAMED_MAX = 10_000
"""Bad lines that are kept to be named; of more only the number is known."""

OUR_COLUMNS = ("import_line", "import_field", "import_reason")
"""Columns that a file of wrong rows has in front: they are passed over, so that it can be mended and imported."""

Progress = Callable[[int], None]

NOBODY = Rows()
"""Hears of lines on the command line."""


class FileRefused(ValueError):
    """The file as a whole cannot be read; the message says why."""


class BadLine(ValueError):
    """A line cannot be taken; the message says why, `field` which column is wrong where it is one."""

    def __init__(self, words: str, field: str | None = None) -> None:
        super().__init__(words)
        self.field = field


class Named(NamedTuple):
    """Something to say about a line of the file."""

    line: int
    words: str


class Outcome(msgspec.Struct, dict=True):
    """What became of a file's lines. `skipped` were taken earlier; `notes` are about lines that were taken.

    `rows` hears of each line."""

    added: int = 0
    changed: int = 0
    skipped: int = 0
    refused: int = 0
    bad: list[Named] = []
    notes: list[Named] = []

    @property
    def rows(self) -> Rows:
        """Who hears of each line: no part of what became of the file."""
        heard: Rows = self.__dict__.get("heard_by", NOBODY)
        return heard

    def told_to(self, rows: Rows | None) -> Self:
        """The same outcome, with somebody who hears of each line."""
        if rows is not None:
            self.__dict__["heard_by"] = rows
        return self

    def refuse(
        self, line: int, words: str, field: str | None = None, *, subject: str = "", last_line: int | None = None
    ) -> None:
        """Count a bad line and keep its words."""
        self.refused += 1
        if len(self.bad) < NAMED_MAX:
            self.bad.append(Named(line, words))
        self.rows.tell(FileRow(line, "refused", subject, last_line or line, field, words))

    def refuse_bad(self, line: int, bad: BadLine) -> None:
        """Count a line that could not be read."""
        self.refuse(line, str(bad), bad.field)

    def refuse_rejected(self, line: int, no: Rejected, *, subject: str) -> None:
        """Count a line that the core refused."""
        field = no.numbers.get("field")
        self.refuse(line, no.detail, field if isinstance(field, str) else None, subject=subject)

    def skip(self, line: int, subject: str = "", last_line: int | None = None) -> None:
        """Count a line that changes nothing."""
        self.skipped += 1
        self.rows.tell(FileRow(line, "unchanged", subject, last_line or line))

    def note(self, line: int, words: str) -> None:
        """Keep what there is to say about a line, beside what became of it."""
        if len(self.notes) < NAMED_MAX:
            self.notes.append(Named(line, words))
        self.rows.tell(FileRow(line, "note", last_line=line, detail=words))


class Line(NamedTuple):
    """A line of the file: its number (of its first row of text), and its cells by column name."""

    number: int
    cells: Mapping[str, str]


class Table(NamedTuple):
    """A CSV file: its column names in lower case, and its lines."""

    columns: tuple[str, ...]
    lines: Iterator[Line]


_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?[\s,;]*', re.IGNORECASE)
"""The line by which Excel is told what parts the cells."""


COLUMNS_MAX = 1_000
"""Most columns of a file: shops' exports have up to some hundred, and work on a file grows with them."""


class _Header(NamedTuple):
    """How a file begins: what parts its cells, its columns, and how many lines of text that took."""

    delimiter: str
    columns: tuple[str, ...]
    lines: int


def read_table(file: TextIO, numbers: frozenset[str] = frozenset()) -> Table:
    """Read a CSV file with a header; commas, semicolons or tabs. The file must be opened with newline="".

    `numbers` names the columns of numbers, in lower case: their decimal commas become points.
    """
    csv.field_size_limit(CELL_BYTES_MAX)
    try:
        header = _header(file)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileRefused("The file is not CSV in UTF-8: save it as `CSV UTF-8`.") from error
    if len(header.columns) > COLUMNS_MAX:
        raise FileRefused(f"The header has {len(header.columns):,} columns; at most {COLUMNS_MAX:,} are read.")
    twice = {name for name, count in Counter(header.columns).items() if name and count > 1}
    if twice:
        raise FileRefused(f"The column {min(twice)!r} stands in the header twice.")
    if header.delimiter != "," and numbers.intersection(header.columns):
        return Table(header.columns, _lines_of_spreadsheet(file, header, numbers))
    return Table(header.columns, _lines(file, header))


def _header(file: TextIO) -> _Header:
    delimiter = None
    for count, text in enumerate(iter(file.readline, ""), start=1):
        said = _SEPARATOR_LINE.fullmatch(text.lstrip("\ufeff").rstrip("\r\n"))
        if said is not None and delimiter is None:
            delimiter = said[1]
        elif text.strip(',;" \t\r\n\ufeff'):
            first = text.lstrip("\ufeff")
            delimiter = delimiter or max(",;\t", key=first.count)
            names = next(csv.reader([first], delimiter=delimiter))
            return _Header(delimiter, tuple(name.strip().lower() for name in names), count)
    raise FileRefused("The file is empty: its first line must name the columns.")


def _lines(file: TextIO, header: _Header) -> Iterator[Line]:
    columns = header.columns
    reader = csv.reader(file, delimiter=header.delimiter, strict=True)
    while True:
        number = reader.line_num + header.lines + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise FileRefused(f"Line {number} or one after it is not UTF-8: save the file as `CSV UTF-8`.") from error
        except csv.Error as error:
            raise FileRefused(f"Line {number} is not CSV: {error}.") from error
        if any(cell.strip() for cell in cells):
            filled = {
                name: _unguarded(composed(cell).strip())
                for name, cell in zip(columns, cells, strict=False)
                if name not in OUR_COLUMNS
            }
            if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                filled[""] = "more cells than columns"
            yield Line(number, filled)


# Decimal commas ------------------------------------------------------------------------------------------------------

_COMMA_NUMBER = re.compile(r"([+-]?(?:[1-9]\d{0,2}(?:[. \u00a0\u202f']\d{3})+|\d+))(?:,(\d+))?", re.ASCII)
"""A number with a decimal comma; its thousands may be parted."""

_DOUBTFUL_NUMBER = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
"""A thousand and something, or one and something: the file's other numbers must tell."""

_POINT_NUMBER = re.compile(r"[+-]?(\d*|\d{1,3}(,\d{3})+)\.\d+", re.ASCII)
"""A number with a decimal point."""


def _lines_of_spreadsheet(file: TextIO, header: _Header, numbers: frozenset[str]) -> Iterator[Line]:
    """The lines of a file with semicolons or tabs, which a spreadsheet with decimal commas may have written."""
    if file.seekable():
        yield from _with_points(file, header, numbers)
        return
    with TemporaryFile("w+", encoding="utf-8", newline="") as copy:
        for text in iter(file.readline, ""):
            copy.write(text)
        copy.seek(0)
        yield from _with_points(copy, header, numbers)


_SIGN = re.compile(r"(?:[$\u20ac\u00a3\u00a5]|[A-Za-z]{3})")
_MONEY = re.compile(
    rf"(?P<open>\()?\s*(?P<minus>-)?\s*(?P<before>{_SIGN.pattern})?\s*(?P<less>-)?"
    rf"(?P<number>[\d.,'\u00a0\u202f ]*\d)\s*(?P<after>{_SIGN.pattern})?\s*(?P<close>\))?"
)


def without_currency(text: str) -> tuple[str, str]:
    """The number of an amount of money, and the sign or code of the currency beside it: -$3.00 is (-3.00, $). A text
    that is none comes back as it is."""
    found = _MONEY.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]) or (found["before"] and found["after"]):
        return text, ""
    minus = "-" if found["open"] or found["minus"] or found["less"] else ""
    return minus + found["number"], found["before"] or found["after"] or ""


def _with_points(file: TextIO, header: _Header, numbers: frozenset[str]) -> Iterator[Line]:
    begin = file.tell()
    commas = points = False
    for line in _lines(file, header):
        for name in numbers & line.cells.keys():
            text = without_currency(line.cells[name])[0]
            commas = commas or "," in text
            points = points or (bool(_POINT_NUMBER.fullmatch(text)) and not _DOUBTFUL_NUMBER.fullmatch(text))
    file.seek(begin)
    for line in _lines(file, header):
        if commas and not points:
            said = {name: _amount_with_point(line.cells[name]) for name in numbers & line.cells.keys()}
            line = Line(line.number, {**line.cells, **said})
        yield line


def _amount_with_point(text: str) -> str:
    """An amount of money, or a number, with a decimal point; the sign of its currency stays."""
    number, sign = without_currency(text)
    return f"{_with_point(number)} {sign}".strip()


def _with_point(text: str) -> str:
    """The number with a decimal point; one that can be read in two ways says so, and is no number any more."""
    if _DOUBTFUL_NUMBER.fullmatch(text):
        return f"{text} ({text.replace('.', '')} or {text.replace('.', ',')}?)"
    number = _COMMA_NUMBER.fullmatch(text)
    if number is None:
        return text
    whole = re.sub(r"[^\d+-]", "", number[1])
    return f"{whole}.{number[2]}" if number[2] else whole


# Apostrophes ---------------------------------------------------------------------------------------------------------

_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""What begins a formula: the signs, full-width and small ones too, which East Asian spreadsheets take for the same."""

_BEGINS_FORMULA = rf"'*(?:\s*[{_SIGNS}]|[\t\r\n])"
_FORMULA = re.compile(_BEGINS_FORMULA)
_GUARDED = re.compile("'" + _BEGINS_FORMULA)
_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it as a formula."""
    return "'" + text if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def _unguarded(cell: str) -> str:
    """The cell as it was before `guarded`."""
    return cell[1:] if _GUARDED.match(cell) else cell


# Columns -------------------------------------------------------------------------------------------------------------

COLUMNS_NAMED_MAX = 12
"""Columns of a file that are named when one is missing."""


def require_columns(table: Table, known: tuple[str, ...], needed: tuple[str, ...], hint: str = "") -> None:
    """Refuse a file without a needed column, or with one that is not known; `hint` tells what else could be meant."""
    unknown = [name for name in table.columns if name and name not in known and name not in OUR_COLUMNS]
    missing = [name for name in needed if name not in table.columns]
    if missing:
        there = [name[:40] for name in table.columns if name]
        more = len(there) - COLUMNS_NAMED_MAX
        names = ", ".join(there[:COLUMNS_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
        raise FileRefused(f"The header has no column {missing[0]!r}; it has {names}.{hint}")
    if unknown:
        raise FileRefused(f"The column {unknown[0][:40]!r} is not known; there is {', '.join(known)}.{hint}")


def test_width(cells: Mapping[str, str]) -> None:
    if cells.get(""):
        raise BadLine("The line has more cells than the header has columns.")
