"""Codes that the shop's own scales print: an item's number, and a weight or a price in the code itself.

    read_scale_code("2112345012509", [{"prefix": "21", "kind": "weight", "item_digits": 5, "places": 3}], 2)
        -> ScaleCode(base="2112345000001" with its own check digit, item="12345", scan=Scan(quantity=1.25, unit="kg"))

Such a number is an EAN-13 that begins with 02, 04 or 20 to 29 and means something in one shop alone; which part of it
says what is the shop's own choice (GS1 General Specifications, section 2.1.13: restricted circulation numbers). Behind
the prefix come the digits of the item, perhaps a check digit of the value, the value, and the check digit. The product
is the one whose GTIN is the same code with a value of zero, else the one whose SKU are the item's digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from holdfast.core.records.gtin import is_gtin
from holdfast.web.api.barcode import Scan

DIGITS = 13


class ScaleCode(NamedTuple):
    """The code with a value of zero, the digits of the item, and what the code says of the goods in the hand."""

    base: str
    item: str
    scan: Scan


def read_scale_code(gtin: str, prefixes: Sequence[dict[str, Any]], minor_digits: int) -> ScaleCode | None:
    """What a code says by the first of the prefixes that fits; None where none does. UPC-A has a zero in front."""
    code = gtin[-DIGITS:].rjust(DIGITS, "0")
    if len(gtin) > DIGITS and gtin[:-DIGITS].strip("0"):
        return None
    rule = next((one for one in prefixes if code.startswith(one["prefix"])), None)
    if rule is None or not is_gtin(code):
        return None
    start = len(rule["prefix"])
    end = start + rule["item_digits"]
    value = code[end + (1 if rule["value_check"] else 0) : -1]
    base = code[:end] + "0" * (DIGITS - 1 - end)
    scan = Scan(gtin=gtin)
    if rule["kind"] == "weight":
        weight = Decimal(int(value)).scaleb(-rule["places"])
        scan.quantity = int(weight) if weight == weight.to_integral_value() else float(weight)
        scan.unit = rule["unit"]
        if not weight:
            scan.quantity = scan.unit = None
    elif int(value):
        scan.amount = format(Decimal(int(value)).scaleb(-minor_digits), "f")
    return ScaleCode(base + check_digit(base), code[start:end], scan)


def check_digit(digits: str) -> str:
    """The last digit of an EAN-13 with these twelve."""
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits))
    return str(-total % 10)
