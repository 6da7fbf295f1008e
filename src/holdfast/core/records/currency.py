"""Currencies: the codes of ISO 4217, and how many decimal places an amount of each has.

    currency_of("eur"), minor_digits_of("JPY")     -> "EUR", 0
    currency_of("EURO")                            -> None

It refuses (None) what is no code of ISO 4217.
"""

from __future__ import annotations

from functools import lru_cache

from babel.numbers import list_currencies

_DIGITS_OF = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Minor digits by ISO 4217, where they are not 2. (Babel's are those of everyday use: it gives the lek none.)"""


@lru_cache(maxsize=1)
def _codes() -> frozenset[str]:
    return frozenset(list_currencies())


def currency_of(text: str) -> str | None:
    """The ISO 4217 code in capitals; None when the text is none."""
    code = text.upper()
    return code if len(code) == 3 and code in _codes() else None


def minor_digits_of(currency: str) -> int:
    """Decimal places of an amount in the currency: 2 for USD, 0 for JPY, 3 for KWD."""
    return next((digits for digits, codes in _DIGITS_OF.items() if currency in codes.split()), 2)
