"""Scans: what a barcode means in this shop. The product, and what else the code says of the goods in the hand.

    GET /api/v1/scan?code=%5Dd2010950600013435210LOT-42%1D17261231   -> product, lot LOT-42, expires 2026-12-31
    GET /api/v1/scan?code=0109506000134352310300275010LOT            -> product, lot LOT, quantity 2.75, unit kg

`holdfast.web.api.barcode` reads the code; here the product is looked up, and what does not fit it is a warning. It
refuses (400) what it cannot read; an unknown product is a 404 that still tells what the code says.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.rejection import Code
from holdfast.db.queries.filters import Filter
from holdfast.organisation import minor_digits_of
from holdfast.web.api.barcode import Scan, bare_gtin, read_code
from holdfast.web.api.shapes import ScanDocument
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.route import Call, Route
from holdfast.web.http.strict_json import unprintable

CURRENCY_NUMBERS = {
    "032": "ARS", "036": "AUD", "124": "CAD", "152": "CLP", "156": "CNY", "170": "COP", "203": "CZK", "208": "DKK",
    "344": "HKD", "348": "HUF", "352": "ISK", "356": "INR", "360": "IDR", "376": "ILS", "392": "JPY", "410": "KRW",
    "458": "MYR", "484": "MXN", "554": "NZD", "578": "NOK", "604": "PEN", "608": "PHP", "682": "SAR", "702": "SGD",
    "704": "VND", "710": "ZAR", "752": "SEK", "756": "CHF", "764": "THB", "784": "AED", "818": "EGP", "826": "GBP",
    "840": "USD", "901": "TWD", "946": "RON", "949": "TRY", "975": "BGN", "978": "EUR", "980": "UAH", "985": "PLN",
    "986": "BRL",
}  # fmt: skip
"""Currencies by their ISO 4217 numbers, as AI 393n writes them."""


class ScannedCode(Filter, frozen=True, kw_only=True):
    """What the scanner read."""

    code: Annotated[
        str,
        Meta(
            description="What the scanner read: a GTIN, a SKU, a GS1 string or a GS1 Digital Link URI.",
            extra={"query": "code"},
        ),
    ]


def read_scan(call: Call) -> Any:
    """The product that a code means."""
    code: str = call.filter.code
    scan = read_code(code)
    product = _product(call, code.strip(), scan)
    if scan is None:
        if product is None:
            raise invalid("code", "is not a GTIN, SKU, GS1 string or GS1 Digital Link that can be read.")
        scan = Scan(sku=code.strip())
    if product is None:
        parsed = msgspec.to_builtins(scan)
        raise Problem(Code.PRODUCT_NOT_FOUND, "No product has this code.", numbers={"parsed": parsed, **parsed})
    if product["sku"] == code.strip() and bare_gtin(code.strip()):
        scan = Scan(sku=code.strip())
    quantity_warnings = _precision_warnings(scan, product)
    amount, amount_warnings = _amount(call, scan)
    return {
        "product_id": product["id"],
        "sku": product["sku"],
        "title": product["title"],
        "precision": product["precision"],
        "gtin": scan.gtin,
        "lot_code": scan.lot_code,
        "expires_at": scan.expires_at,
        "best_before": scan.best_before,
        "count": scan.count,
        "quantity": scan.quantity,
        "unit": scan.unit,
        "amount": amount,
        "serial": scan.serial,
        "sscc": scan.sscc,
        "warnings": [*scan.warnings, *quantity_warnings, *amount_warnings],
    }


def _product(call: Call, code: str, scan: Scan | None) -> dict[str, Any] | None:
    """The product that the code means: by GTIN, else by SKU. A SKU may look like a GTIN, or like a GS1 string."""
    reports, org_id = call.shop.reports, call.actor.org_id
    plain = code if code and not unprintable(code) else None
    if plain is not None and (scan is None or bare_gtin(plain)):
        found = reports.product_by_code(org_id, sku=plain)
        if found is not None or scan is None:
            return found
    if scan is None:
        return None
    if scan.gtin is not None:
        found = reports.product_by_code(org_id, gtin=scan.gtin)
        if found is not None:
            return found
    sku = plain if scan.sku is None else scan.sku
    return None if sku is None or unprintable(sku) else reports.product_by_code(org_id, sku=sku)


def _precision_warnings(scan: Scan, product: dict[str, Any]) -> list[str]:
    """A quantity that the product cannot have is said to be one; it is for people to decide what to sell."""
    if scan.quantity is None or scan.places <= product["precision"]:
        return []
    counted = "whole units" if product["precision"] == 0 else f"{product['precision']} decimal places"
    return [f"{scan.quantity} {scan.unit} does not fit {product['sku']}, which is counted in {counted}."]


def _amount(call: Call, scan: Scan) -> tuple[str | None, list[str]]:
    """The amount in the organisation's currency, and what is to be said of it."""
    if scan.amount is None:
        return None, []
    settings = call.shop.reports.settings(call.actor.org_id)
    assert settings is not None
    own = settings["currency"]
    if scan.currency is not None and CURRENCY_NUMBERS.get(scan.currency) != own:
        named = CURRENCY_NUMBERS.get(scan.currency, f"currency {scan.currency}")
        return None, [f"The amount {scan.amount} is in {named}, not in {own}: it is not used."]
    digits = minor_digits_of(own)
    exact = format(Decimal(scan.amount).normalize(), "f")
    minor = to_minor(exact, digits)
    if minor is None:
        return None, [f"The amount {scan.amount} is no amount of {own}: it is not used."]
    return from_minor(minor, digits), []


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/scan",
        summary="Read a scanned code",
        about=(
            "`quantity` is the weight, volume, area or length that the code says (GS1 AI 310n, 320n, 315n, 316n, "
            "314n, 311n, 321n to 323n), in `unit`s; `amount` (392n, 393n) is in the organisation's currency; `count` "
            "is AI 30 or 37. What the code says and no field shows is in `warnings`. An unknown product is a 404 that "
            "still tells what the code says."
        ),
        tag="Scan",
        permission=Permission.READ,
        answer_with=read_scan,
        answer=ScanDocument,
        codes=(Code.PRODUCT_NOT_FOUND,),
        filter=ScannedCode,
    ),
)
