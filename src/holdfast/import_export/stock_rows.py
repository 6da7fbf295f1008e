"""What became of the lines of a stock file, in the words of `rows`: by the answer of the command that took them.

received_row(2, line, receipt)      -> added: the receipt, and its lots
set_row(2, line, 9, entry)          -> changed: 9 before, 12 now
counted_rows([(2, line)], count)    -> changed, or unchanged, for each line
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.core.records.documents import LevelDocument
from holdfast.core.records.number import from_units
from holdfast.core.warehouse.count_sheet import CountDocument
from holdfast.core.warehouse.receiving import ReceiptDocument
from holdfast.import_export.rows import FileRow, Made
from holdfast.import_export.stock_line import StockLine


def subject_of(line: StockLine) -> str:
    """What a line of stock is about."""
    return f"{line.sku} at {line.location}"


def received_row(number: int, line: StockLine, receipt: ReceiptDocument) -> FileRow:
    """A line that was received."""
    made = (Made("receipt", receipt.id), *(Made("lot", one.lot_id) for one in receipt.lines))
    words = f"{line.number} received"
    undo = {"kind": "receipt", "id": receipt.id}
    return FileRow(number, "added", subject_of(line), number, detail=words, made=made, undo=undo)


def set_row(number: int, line: StockLine, present: int | None, level: LevelDocument) -> FileRow:
    """A level that was set; `present` is what was there, in smallest units."""
    before = from_units(present or 0, line.precision)
    return _level_row(number, line, before, level.quantity, Made("entry", level.id))


def counted_rows(lines: Sequence[tuple[int, StockLine]], count: CountDocument) -> tuple[FileRow, ...]:
    """The levels that were counted."""
    return tuple(
        _level_row(number, line, counted.before, counted.counted, Made("count", count.id))
        if counted.difference
        else FileRow(number, "unchanged", subject_of(line), number)
        for (number, line), counted in zip(lines, count.lines, strict=True)
    )


def _level_row(number: int, line: StockLine, before: Any, after: Any, made: Made) -> FileRow:
    undo = {"kind": "level", "product": line.sku, "location": line.location, "before": before, "after": after}
    changes = {"quantity": (before, after)}
    return FileRow(number, "changed", subject_of(line), number, made=(made,), changes=changes, undo=undo)
