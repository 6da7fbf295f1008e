"""Scans: what a barcode means here. GTIN, SKU, or a GS1 string with lot, expiry, count and serial (SPEC section 5).

    GET /api/v1/scan?code=%5Dd2010950600013435210LOT-42%1D17261231   -> product, lot LOT-42, expires 2026-12-31

A symbology prefix decides how to read; without one, a number with a right check digit is a GTIN (EAN-8 96385074 would
also parse as GS1). FNC1 may come as 0x1D, as U+241D, or escaped. It warns of a lot that seems to have swallowed the
next field because the scanner dropped the FNC1, and of store-internal numbers. It refuses (400) what it cannot read.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import msgspec
from biip import ParseConfig, ParseError, parse
from biip.gs1_messages import GS1Message
from biip.gtin import Gtin
from biip.rcn import Rcn

from holdfast.access import Permission
from holdfast.core.gtin import is_gtin
from holdfast.core.rejection import Code
from holdfast.web.api.shapes import ScanDocument
from holdfast.web.problems import Problem, invalid
from holdfast.web.route import Call, Query, Route

SEPARATORS = ("\u241d", "{GS}", "^]", "<GS>")
"""How scanners that type send FNC1, beside 0x1D itself."""

LOT_MAX = 20

_SWALLOWED = re.compile(r"(?:17|15|11)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])$|(?:21|30|37)\d+$")
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9]")
_GTIN_LENGTHS = (8, 12, 13, 14)


class Scan(msgspec.Struct):
    """What a code says by itself."""

    gtin: str | None = None
    sku: str | None = None
    lot_code: str | None = None
    expires_at: str | None = None
    best_before: str | None = None
    count: int | None = None
    serial: str | None = None
    sscc: str | None = None
    warnings: list[str] = []


def read_code(text: str) -> Scan | None:
    """What a scanned text says; None when it cannot be read."""
    code = text.strip("\r\n\t ")
    for separator in SEPARATORS:
        code = code.replace(separator, "\x1d")
    code = code.rstrip("\x1d")
    if not code or any(sign < " " and sign != "\x1d" for sign in code):
        return None
    if code.startswith("("):
        return _hri(code)
    try:
        parsed = parse(code, config=ParseConfig(separator_chars=("\x1d",)))
    except ParseError:
        return None if "\x1d" in code or _SYMBOLOGY.match(code) or _element_string(code) else Scan(sku=code)
    # Length and check digit decide first: many a GTIN would also parse as element strings.
    plain = _SYMBOLOGY.sub("", code, count=1)
    if parsed.gtin is not None and plain.isdigit() and len(plain) in _GTIN_LENGTHS:
        return _of_gtin(parsed.gtin)
    if parsed.sscc is not None and parsed.gs1_message is None:
        return Scan(sscc=parsed.sscc.value)
    if parsed.gs1_message is not None and (code != plain or "\x1d" in code or _element_string(code)):
        return _of_message(parsed.gs1_message)
    if _SYMBOLOGY.match(code) or _element_string(code):
        return None
    return Scan(sku=code)


def _element_string(code: str) -> bool:
    """Does it look like GS1 element strings that begin with a GTIN or an SSCC?"""
    return _bare_gtin(code) or (len(code) >= 18 and code[:2] in ("00", "01", "02") and code[2:16].isdigit())


def _bare_gtin(code: str) -> bool:
    """Is it AI 01 and a GTIN alone? Sixteen digits may be anything, so the check digit has to be right."""
    return len(code) == 16 and code.startswith("01") and is_gtin(code[2:])


def _hri(code: str) -> Scan | None:
    """Text as printed below a barcode: (01)09506000134352(17)261231."""
    try:
        return _of_message(GS1Message.parse_hri(code))
    except ParseError:
        return None


def _of_gtin(gtin: Gtin) -> Scan:
    scan = Scan(gtin=gtin.value)
    if isinstance(gtin, Rcn):
        scan.warnings.append("The number is store-internal: it means another product in another store.")
    return scan


def _of_message(message: GS1Message) -> Scan:
    scan = Scan()
    for element in message.element_strings:
        value = element.value
        match element.ai.ai:
            case "00":
                scan.sscc = value
            case "01":
                scan.gtin = value
            case "10":
                scan.lot_code = value
                if _SWALLOWED.search(value[1:]):
                    scan.warnings.append(
                        "The lot ends like another field: the scanner may have dropped the separator. Check the lot."
                    )
            case "15":
                scan.best_before = _day(element.date)
            case "17":
                scan.expires_at = _day(element.date)
            case "21":
                scan.serial = value
            case "30" | "37":
                scan.count = int(value)
    return scan


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def read_scan(call: Call) -> Any:
    """The product that a code means."""
    code: str = call.query["code"]
    scan = read_code(code)
    if scan is None:
        raise invalid("code", "is not a GTIN, SKU or GS1 string that can be read.")
    reports, org_id = call.shop.reports, call.actor.org_id
    product = None
    if _bare_gtin(code.strip()):
        product = reports.product_by_code(org_id, sku=code.strip())
        scan = Scan(sku=code.strip()) if product is not None else scan
    if product is None and scan.gtin is not None:
        product = reports.product_by_code(org_id, gtin=scan.gtin)
    if product is None:
        # A SKU may be a number that looks like a GTIN, or like a whole GS1 string.
        product = reports.product_by_code(org_id, sku=scan.sku or code.strip())
    parsed = msgspec.to_builtins(scan)
    if product is None:
        raise Problem(Code.PRODUCT_NOT_FOUND, "No product has this code.", numbers={"parsed": parsed, **parsed})
    return {
        "product_id": product["id"],
        "sku": product["sku"],
        "title": product["title"],
        "lot_code": scan.lot_code,
        "expires_at": scan.expires_at,
        "best_before": scan.best_before,
        "count": scan.count,
        "serial": scan.serial,
        "warnings": scan.warnings,
    }


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/scan",
        summary="Read a scanned code",
        about="An unknown product is a 404 that still tells what the code says.",
        tag="Scan",
        permission=Permission.READ,
        answer_with=read_scan,
        answer=ScanDocument,
        codes=(Code.PRODUCT_NOT_FOUND,),
        query=(Query("code", "What the scanner read: a GTIN, a SKU or a GS1 string.", "code", required=True),),
    ),
)
