"""How single cells of a file are read: texts, numbers, amounts, times, barcodes.

    quantity_cell("quantity", "0.25")        -> Decimal("0.25")
    amount_text("1,234.50")                  -> "1234.50"
    code_cell("sku", "1.23457E+12")          -> BadLine: a spreadsheet has rounded it
    id_cell("Id", "4504.0")                  -> "4504"

A number is written in full, with a decimal point: `1e3` and `1_000` are refused (BadLine), as is a code, title or
barcode that a spreadsheet or a database has replaced (`1.23457E+12`, `#N/A`, `NULL`).
"""

from __future__ import annotations

import re
from decimal import Decimal

from holdfast.core.records.gtin import is_gtin
from holdfast.core.records.time import day_of, instant_of
from holdfast.import_export.table import BadLine
from holdfast.organisation import NotPossible, text_of

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_SHORT_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?e[+-]?\d+", re.ASCII | re.IGNORECASE)
_ROUNDED_CODE = re.compile(r"\d([.,]\d+)?e\+\d+", re.ASCII | re.IGNORECASE)
_WHOLE_AS_DECIMAL = re.compile(r"\d+\.0{1,2}", re.ASCII)
_ROUNDED_BARCODE = re.compile(r"\d([.,]\d+)?e\+?\d+", re.ASCII | re.IGNORECASE)
_GROUPED_AMOUNT = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+\.\d+", re.ASCII)
_SPREADSHEET_ERROR = re.compile(r"#(N/A|NV|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!)", re.IGNORECASE)
_NOTHING = ("null", "none", "nan", "n/a", "undefined")
"""What databases and programs write where there is nothing."""

NUMBER_CHARACTERS_MAX = 40

EXACT_DECIMAL_MAX = 2**53
"""Up to here a program that keeps numbers as binary fractions (4504.0) has kept every whole one as it was."""

ID_DIGITS_MAX = 30
"""More digits than the id of any shop system has."""


def text_cell(name: str, text: str) -> str:
    """A text of 1 to 200 characters without control characters."""
    try:
        return text_of(text, name)
    except NotPossible as error:
        raise BadLine(str(error)) from error


def title_cell(name: str, text: str) -> str:
    """A text that is no error of a spreadsheet."""
    if _SPREADSHEET_ERROR.fullmatch(text):
        raise BadLine(f"{name} {text!r} is an error of a spreadsheet: mend its formula and export again.")
    return text_cell(name, text)


def code_cell(name: str, text: str) -> str:
    """A code by which something is known: a SKU, a lot code, an order number."""
    if _ROUNDED_CODE.fullmatch(text):
        raise BadLine(_rounded(name, text))
    if text.lower() in _NOTHING:
        raise BadLine(f"{name} {text!r} stands for nothing, it is no code: write the code, or leave the cell empty.")
    return title_cell(name, text)


def order_number_cell(name: str, text: str) -> str:
    """The number by which an order is known; `1004.0` would be another order than 1004."""
    if _WHOLE_AS_DECIMAL.fullmatch(text):
        words = f"a program has made a decimal number of {text.partition('.')[0]}"
        raise BadLine(f"{name} {text!r}: {words}; format the column as text and export again.")
    return code_cell(name, text)


def id_cell(name: str, text: str) -> str:
    """The digits of an id by which something is known elsewhere; `4504.0` is 4504."""
    if _ROUNDED_CODE.fullmatch(text):
        raise BadLine(_rounded(name, text))
    digits = text
    if _WHOLE_AS_DECIMAL.fullmatch(text):
        digits = text.partition(".")[0]
        if int(digits) > EXACT_DECIMAL_MAX:
            raise BadLine(_rounded(name, text))
    if not (digits.isascii() and digits.isdigit()) or len(digits) > ID_DIGITS_MAX:
        words = "is no id, which has digits only: write it in full, or leave the cell empty"
        raise BadLine(f"{name} {text[:40]!r} {words}.")
    return digits


def _rounded(name: str, text: str) -> str:
    return f"{name} {text!r}: a spreadsheet has rounded it; format the column as text and export again."


def flag_cell(name: str, text: str) -> bool:
    """True or false, as people and programs write it."""
    flags = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in flags:
        raise BadLine(f"{name} {text[:40]!r} must be true or false.")
    return flags[text.lower()]


def precision_cell(name: str, text: str) -> int:
    """Decimal places of a product's quantities."""
    if text not in ("0", "1", "2", "3", "4"):
        raise BadLine(f"{name} {text[:40]!r} must be 0 to 4.")
    return int(text)


def quantity_cell(name: str, text: str) -> Decimal:
    """A number in full, with a decimal point; the sign is kept."""
    if _SHORT_NUMBER.fullmatch(text):
        raise BadLine(f"{name} {text[:40]!r} is short for a number: write all of its digits.")
    if not _NUMBER.fullmatch(text) or len(text) > NUMBER_CHARACTERS_MAX:
        sign = ": its decimal sign is a point, and its thousands are not parted" if "," in text else ""
        raise BadLine(f"{name} {text[:60]!r} is no number such as 12 or 0.25{sign}.")
    return Decimal(text)


def amount_text(text: str) -> str:
    """The text of an amount without commas between its thousands: 1,234.50 is 1234.50."""
    return text.replace(",", "") if _GROUPED_AMOUNT.fullmatch(text) else text


def instant_or_day_cell(name: str, text: str) -> int | str:
    """An instant with its offset, in microseconds since 1970; or a day as it is written (YYYY-MM-DD)."""
    found = instant_of(text) if day_of(text) is None else text
    if found is None:
        raise BadLine(f"{name} {text[:40]!r} is neither a day (2027-03-01) nor a time (2027-03-01T09:00:00Z).")
    return found


def gtin_cell(name: str, text: str) -> str:
    """The GTIN of a cell: 8, 12, 13 or 14 digits with the right check digit."""
    digits = text.removeprefix("'")
    if _ROUNDED_BARCODE.fullmatch(digits):
        raise BadLine(_rounded(name, digits))
    if not is_gtin(digits):
        raise BadLine(f"{name} {digits[:40]!r} is no GTIN: 8, 12, 13 or 14 digits, the last one checking the others.")
    return digits
