"""Barcodes: what a scanned text says by itself, before anybody looks for the product.

    read_code("0109506000134352310300275010LOT")   -> Scan(gtin="09506000134352", lot_code="LOT", quantity=2.75, ...)
    read_code("https://id.gs1.org/01/09506000134352?17=261231")   -> Scan(gtin=..., expires_at="2026-12-31")
    read_code("MUG-1")                                            -> Scan(sku="MUG-1")

It reads GTINs, GS1 element strings (raw, with brackets, or as a GS1 Digital Link URI) and SKUs. A symbology prefix
(`]C1`, `]d2` ...) decides how; without one, a number with a right check digit is a GTIN (EAN-8 96385074 would also
parse as GS1). FNC1 may come as 0x1D, as U+241D, or escaped. What is read and has no field of its own is a warning. It
refuses (None) what cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from biip import ParseConfig, ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message
from biip.gtin import Gtin
from biip.rcn import Rcn
from biip.sscc import Sscc

from holdfast.core.records.gtin import is_gtin

SEPARATORS = ("\u241d", "{GS}", "^]", "<GS>")
"""How scanners that type send FNC1, beside 0x1D itself."""

FNC1 = "\x1d"

MEASURES = {
    "310": ("kg", "net weight"),
    "320": ("lb", "net weight"),
    "315": ("l", "volume"),
    "316": ("m3", "volume"),
    "314": ("m2", "area"),
    "311": ("m", "length"),
    "321": ("in", "length"),
    "322": ("ft", "length"),
    "323": ("yd", "length"),
}
"""Measures that say how much of a product it is, by the first three digits of their AI: unit and name.

The first of them that a code has is its quantity. Its last digit tells how many of the six digits are decimal places.
"""

DIMENSIONS = {
    "312": ("m", "width"),
    "313": ("m", "height"),
    "324": ("in", "width"),
    "325": ("ft", "width"),
    "326": ("yd", "width"),
    "327": ("in", "height"),
    "328": ("ft", "height"),
    "329": ("yd", "height"),
}
"""Measures that describe an article, and are no quantity of it."""

_CONFIG = ParseConfig(separator_chars=(FNC1,))
_SWALLOWED = re.compile(r"(?:17|15|11)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])$|(?:21|30|37)\d+$")
_SYMBOLOGY = re.compile(r"\]([A-Za-z])([0-9A-Za-z])")
_GS1_SYMBOLOGIES = frozenset({"C1", "e0", "e1", "e2", "d2", "Q3", "J1"})
"""Symbology identifiers that promise GS1 element strings."""

_GTIN_SYMBOLOGIES = frozenset({"E0", "E3", "E4"})
"""Symbology identifiers of EAN and UPC; E3 is followed by a supplement of 2 or 5 digits."""

_SUPPLEMENTS = (2, 5)


class Scan(msgspec.Struct):
    """What a code says by itself. `quantity` is in `unit`s, `amount` a decimal string.

    `currency` is the ISO 4217 number (`978`) that came with the amount; None is the currency of the place.
    """

    gtin: str | None = None
    sku: str | None = None
    lot_code: str | None = None
    expires_at: str | None = None
    best_before: str | None = None
    count: int | None = None
    quantity: int | float | None = None
    unit: str | None = None
    amount: str | None = None
    currency: str | None = None
    serial: str | None = None
    sscc: str | None = None
    warnings: list[str] = []

    @property
    def places(self) -> int:
        """Decimal places that the quantity needs."""
        return 0 if self.quantity is None else max(0, -int(Decimal(str(self.quantity)).normalize().as_tuple().exponent))


def read_code(text: str) -> Scan | None:
    """What a scanned text says; None when it cannot be read."""
    code = text.strip("\r\n\t ")
    for separator in SEPARATORS:
        code = code.replace(separator, FNC1)
    code = code.rstrip(FNC1)
    if not code or any(sign < " " and sign != FNC1 for sign in code):
        return None
    symbology = _SYMBOLOGY.match(code)
    if symbology is None:
        return _of_text(code)
    name, rest = symbology[1] + symbology[2], code[symbology.end() :]
    if name in _GS1_SYMBOLOGIES:
        return _of_message(rest.lstrip(FNC1))
    if name in _GTIN_SYMBOLOGIES:
        return _of_gtin_symbol(rest, _SUPPLEMENTS if name == "E3" else ())
    return _of_text(rest) if rest.strip(FNC1) else None


def bare_gtin(code: str) -> bool:
    """Is it AI 01 and a GTIN alone? Sixteen digits may be anything, so the check digit has to be right."""
    return len(code) == 16 and code.startswith("01") and is_gtin(code[2:])


def _of_text(code: str) -> Scan | None:
    """A text without a symbology prefix: its form decides."""
    if code.startswith("("):
        return _of_brackets(code)
    if code[:8].lower().startswith(("http://", "https://")):
        return _of_link(code)
    # Length and check digit decide first: many a GTIN would also parse as element strings.
    if is_gtin(code):
        return _of_gtin(code)
    if FNC1 in code or _element_string(code):
        return _of_message(code.lstrip(FNC1))
    if len(code) == 18 and code.isascii() and code.isdigit() and _sscc(code):
        return Scan(sscc=code)
    return Scan(sku=code)


def _element_string(code: str) -> bool:
    """Does it look like GS1 element strings that begin with a GTIN or an SSCC?"""
    return bare_gtin(code) or (len(code) >= 18 and code[:2] in ("00", "01", "02") and _digits(code[2:16]))


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _sscc(code: str) -> bool:
    try:
        Sscc.parse(code, config=_CONFIG)
    except ParseError:
        return False
    return True


def _of_gtin_symbol(digits: str, supplements: tuple[int, ...]) -> Scan | None:
    """What an EAN or UPC symbol says; a supplement (of a magazine, say) is named and left out."""
    if is_gtin(digits):
        return _of_gtin(digits)
    for length in supplements:
        main, supplement = digits[:-length], digits[-length:]
        if is_gtin(main) and _digits(supplement):
            scan = _of_gtin(main)
            scan.warnings.append(f"The supplement {supplement} was read and not used.")
            return scan
    return None


def _of_gtin(digits: str) -> Scan:
    scan = Scan(gtin=digits)
    _warn_of_store_numbers(scan, digits)
    return scan


def _warn_of_store_numbers(scan: Scan, digits: str) -> None:
    try:
        internal = isinstance(Gtin.parse(digits, config=_CONFIG), Rcn)
    except ParseError:
        internal = False
    if internal:
        scan.warnings.append("The number is store-internal: it means another product in another store.")


# GS1 -----------------------------------------------------------------------------------------------------------------


def _of_message(code: str) -> Scan | None:
    """Raw element strings, one at least."""
    if not code or not code.isascii():
        return None
    try:
        return _of_elements(GS1Message.parse(code, config=_CONFIG).element_strings)
    except (ParseError, ValueError):
        return None


def _of_brackets(code: str) -> Scan | None:
    """Text as printed below a barcode: (01)09506000134352(17)261231; another text in brackets is a SKU."""
    if not re.match(r"\(\d{2,4}\)", code):
        return Scan(sku=code)
    try:
        return _of_elements(GS1Message.parse_hri(code, config=_CONFIG).element_strings) if code.isascii() else None
    except (ParseError, ValueError):
        return None


def _of_link(code: str) -> Scan | None:
    """A GS1 Digital Link URI, of whichever domain; another address is a SKU. Scheme and host have no case."""
    try:
        parts = urlsplit(code)
        link = urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), parts.query, ""))
        elements = GS1DigitalLinkURI.parse(link, config=_CONFIG).element_strings
    except (ParseError, ValueError):
        return None if re.search(r"/(01|gtin)/\d{8,14}(/|\?|$)", code) else Scan(sku=code)
    return _of_elements(elements)


def _of_elements(elements: Iterable[GS1ElementString]) -> Scan:
    """What element strings say; a field that comes again, or that has no place here, is a warning."""
    scan = Scan()
    read: dict[str, str] = {}
    measured: list[tuple[str, Decimal]] = []
    contained: str | None = None
    for element in elements:
        ai, value = element.ai.ai, element.value
        if ai in read:
            if read[ai] != value:
                scan.warnings.append(f"{_titled(element)} came twice: {read[ai]} is used, {value} is not.")
            continue
        read[ai] = value
        match ai[:3] if len(ai) == 4 else ai:
            case "00":
                scan.sscc = value
            case "01":
                _take_gtin(scan, element)
            case "02":
                contained = value
            case "10":
                _take_lot(scan, value)
            case "15":
                scan.best_before = None if element.date is None else element.date.isoformat()
            case "17":
                scan.expires_at = None if element.date is None else element.date.isoformat()
            case "21":
                scan.serial = value
            case "30" | "37":
                _take_count(scan, element)
            case ("392" | "393") as kind:
                _take_amount(scan, ai, value, with_currency=kind == "393")
            case kind if kind in MEASURES or kind in DIMENSIONS:
                measured.append((ai, Decimal(int(value)).scaleb(-int(ai[3]))))
            case _:
                scan.warnings.append(f"{_titled(element)} was read and not used: {value}.")
    _take_contained(scan, contained)
    _take_measures(scan, measured)
    return scan


def _titled(element: GS1ElementString) -> str:
    return f"AI {element.ai.ai} ({element.ai.data_title})"


def _take_gtin(scan: Scan, element: GS1ElementString) -> None:
    scan.gtin = element.value
    if element.gtin_error is not None:
        scan.warnings.append(f"The check digit of {element.value} is wrong.")
    else:
        _warn_of_store_numbers(scan, element.value)


def _take_contained(scan: Scan, contained: str | None) -> None:
    """The number of what a carton or pallet contains (AI 02) is the product, where it has no number itself (AI 01)."""
    if contained is None:
        return
    if scan.gtin is None:
        scan.gtin = contained
        if not is_gtin(contained):
            scan.warnings.append(f"The check digit of {contained} is wrong.")
        elif scan.count is None:
            scan.warnings.append("How many it contains (AI 37) is not said.")
    else:
        scan.warnings.append(f"AI 02 (CONTENT) was read and not used: {contained}.")


def _take_lot(scan: Scan, value: str) -> None:
    scan.lot_code = value
    if _SWALLOWED.search(value[1:]):
        scan.warnings.append(
            "The lot ends like another field: the scanner may have dropped the separator. Check the lot."
        )


def _take_count(scan: Scan, element: GS1ElementString) -> None:
    count = int(element.value)
    if scan.count is None:
        scan.count = count
    else:
        scan.warnings.append(f"{_titled(element)} was read and not used: {count}.")


def _take_amount(scan: Scan, ai: str, value: str, *, with_currency: bool) -> None:
    currency, digits = (value[:3], value[3:]) if with_currency else (None, value)
    amount = format(Decimal(int(digits)).scaleb(-int(ai[3])), "f")
    if scan.amount is None:
        scan.amount, scan.currency = amount, currency
    else:
        scan.warnings.append(f"The amount {amount} (AI {ai}) was read and not used.")


def _take_measures(scan: Scan, measured: list[tuple[str, Decimal]]) -> None:
    """The quantity by the measure that comes first in MEASURES; the others are warnings."""
    ranks = list(MEASURES)
    chosen = min(
        (ai for ai, number in measured if ai[:3] in MEASURES and number),
        key=lambda ai: ranks.index(ai[:3]),
        default=None,
    )
    for ai, number in measured:
        unit, name = (MEASURES | DIMENSIONS)[ai[:3]]
        if ai == chosen:
            scan.quantity = int(number) if number == number.to_integral_value() else float(number)
            scan.unit = unit
        else:
            scan.warnings.append(f"The {name} {format(number, 'f')} {unit} (AI {ai}) was read and not used.")
