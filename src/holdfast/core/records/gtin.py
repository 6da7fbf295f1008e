"""GTINs: the numbers below barcodes, 8, 12, 13 or 14 digits of which the last checks the others.

    is_gtin("9506000134352")                           -> True
    spellings("09506000134352")                        -> {"09506000134352", "9506000134352"}

Zeros in front make no difference: a GTIN-12, a GTIN-13 and a GTIN-14 can be one number, and then mean one product. A
number is kept as somebody wrote it. Nothing here knows to whom a number was given.
"""

from __future__ import annotations

LENGTHS = (8, 12, 13, 14)


def is_gtin(text: str) -> bool:
    """Has the text a GTIN's length, and the right check digit? Zeros alone have, and are none."""
    if not (text.isascii() and text.isdigit()) or len(text) not in LENGTHS or not text.strip("0"):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text))) % 10 == 0


def spellings(gtin: str) -> frozenset[str]:
    """Every way in which the same number may be kept: with fewer or more zeros in front."""
    bare = gtin.lstrip("0")
    return frozenset({gtin, *(bare.rjust(length, "0") for length in LENGTHS if len(bare) <= length)})


def same_number(one: str, other: str) -> bool:
    """Are both one number?"""
    return one.lstrip("0") == other.lstrip("0")
