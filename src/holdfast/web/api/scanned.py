"""A scanned code and what it means in this shop: the product, how much of it, which lot, at which price.

    meaning_of(call, "0109506000134352310300275010LOT")    -> Meaning(product, Scan(quantity=2.75, ...), amount, ...)
    line_of_code(call, CartLine(code="4006381333931"))      -> the line: 1 of the product with that GTIN

`barcode` reads the code, `scale_codes` those that the shop's own scales print; here the product is looked up. A code
that cannot be read is a 400, an unknown product a 404 that still tells what the code says, and goods that are past
their date are refused by their lot.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from holdfast.core.records.currency import minor_digits_of
from holdfast.core.records.number import Number, from_minor, to_minor
from holdfast.core.records.rejection import Code
from holdfast.web.api.barcode import Scan, bare_gtin, read_code
from holdfast.web.api.scale_codes import read_scale_code
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.route import Call
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

LOTS_LOOKED_AT = 50
"""Most places of the lots of a code among which the fullest is found."""


class Meaning(NamedTuple):
    """What a code means: the product, what the code says, its amount in the shop's currency, what was not used."""

    product: dict[str, Any]
    scan: Scan
    amount: str | None
    warnings: list[str]


class ScannedLine(NamedTuple):
    """What a code asks for: the product's id, how much of it, the lot that it names, and its price if it has one."""

    product_id: str
    quantity: Number
    lot_id: str | None
    unit_price: str | None


def meaning_of(call: Call, code: str, *, field: str = "code") -> Meaning:
    """What a code means here; 400 when it cannot be read, 404 when no product has it."""
    scan = read_code(code)
    product = _product(call, code.strip(), scan)
    if product is None and scan is not None and scan.gtin is not None:
        own = _of_scale(call, scan.gtin)
        if own is not None:
            product, scan = own
    if scan is None:
        if product is None:
            raise invalid(field, "is not a GTIN, SKU, GS1 string or GS1 Digital Link that can be read.")
        scan = Scan(sku=code.strip())
    if product is None:
        parsed = msgspec.to_builtins(scan)
        raise Problem(Code.PRODUCT_NOT_FOUND, "No product has this code.", numbers={"parsed": parsed, **parsed})
    if product["sku"] == code.strip() and bare_gtin(code.strip()):
        scan = Scan(sku=code.strip())
    amount, amount_warnings = _amount(call, scan)
    return Meaning(product, scan, amount, [*scan.warnings, *_precision_warnings(scan, product), *amount_warnings])


def line_of_code(call: Call, code: str, quantity: Number | None, *, field: str = "code") -> ScannedLine:
    """The line that a code asks for, of `quantity` if it is given; else of what the code says, else of one.

    An amount on goods that are weighed is turned into as much as that amount buys, never more; on others it is the
    price, which the core takes from those who may set prices.
    """
    product, scan, amount, _ = meaning_of(call, code, field=field)
    price = None
    if quantity is None and scan.quantity is not None:
        quantity = Decimal(str(scan.quantity))
    if amount is not None and quantity is None:
        quantity = _bought(product, amount)
        price = amount if quantity is None else None
    if quantity is None:
        quantity = 1 if scan.count is None else scan.count
    lot_id = None if scan.lot_code is None else _lot_id(call, product["id"], scan.lot_code)
    if lot_id is None and scan.expires_at is not None and scan.expires_at < _today(call):
        named = "" if scan.lot_code is None else f" of lot {scan.lot_code!r}"
        words = f"The code says that {product['sku']}{named} was good until {scan.expires_at}."
        raise Problem(Code.LOT_NOT_AVAILABLE, words, numbers={"product_id": product["id"], "lot_code": scan.lot_code})
    return ScannedLine(product["id"], quantity, lot_id, price)


def _bought(product: dict[str, Any], amount: str) -> Decimal | None:
    """How much of weighed goods the amount buys, rounded down; None where they are counted, or have no price."""
    price = Decimal(product["price"] or 0)
    if product["precision"] == 0 or not price or product["price_breaks"]:
        return None
    return (Decimal(amount) / price).quantize(Decimal(1).scaleb(-product["precision"]), ROUND_DOWN)


def _lot_id(call: Call, product_id: str, lot_code: str) -> str | None:
    """The lot of the product with that code: of several the one with most free units here; None where there is none."""
    lots = call.shop.reports.lots(
        call.actor.org_id, product=product_id, lot_code=lot_code, stores=call.stores, limit=LOTS_LOOKED_AT
    ).items
    fullest = max(lots, key=lambda lot: (lot["status"] == "active", lot["on_hand"] - lot["reserved"]), default=None)
    return None if fullest is None else fullest["id"]


def _today(call: Call) -> str:
    """The day in the caller's only store, else in the organisation's time zone."""
    zone = None
    if call.stores is not None and len(call.stores) == 1:
        store = call.shop.reports.store(call.actor.org_id, next(iter(call.stores)))
        zone = None if store is None else store["timezone"]
    if zone is None:
        zone = _settings(call)["timezone"]
    return datetime.fromtimestamp(time.time(), UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def _settings(call: Call) -> dict[str, Any]:
    settings = call.shop.reports.settings(call.actor.org_id)
    assert settings is not None, "an actor belongs to an organisation"
    return settings


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


def _of_scale(call: Call, gtin: str) -> tuple[dict[str, Any], Scan] | None:
    """The product of a code of the shop's own scales, and what the code says; None where it is none of theirs."""
    settings = _settings(call)
    own = read_scale_code(gtin, settings["barcode_prefixes"], minor_digits_of(settings["currency"]))
    if own is None:
        return None
    reports, org_id = call.shop.reports, call.actor.org_id
    found = reports.product_by_code(org_id, gtin=own.base)
    for sku in dict.fromkeys((own.item, own.item.lstrip("0"))):
        if found is None and sku:
            found = reports.product_by_code(org_id, sku=sku)
    return None if found is None else (found, own.scan)


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
    own = _settings(call)["currency"]
    if scan.currency is not None and CURRENCY_NUMBERS.get(scan.currency) != own:
        named = CURRENCY_NUMBERS.get(scan.currency, f"currency {scan.currency}")
        return None, [f"The amount {scan.amount} is in {named}, not in {own}: it is not used."]
    digits = minor_digits_of(own)
    exact = format(Decimal(scan.amount).normalize(), "f")
    minor = to_minor(exact, digits)
    if minor is None:
        return None, [f"The amount {scan.amount} is no amount of {own}: it is not used."]
    return from_minor(minor, digits), []
