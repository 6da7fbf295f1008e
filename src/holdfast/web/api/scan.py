"""Scans: what a barcode means in this shop. The product, what else the code says of the goods, and what there is of it.

    GET /api/v1/scan?code=%5Dd2010950600013435210LOT-42%1D17261231   -> product, lot LOT-42, expires 2026-12-31
    GET /api/v1/scan?code=0109506000134352310300275010LOT            -> product, lot LOT, quantity 2.75, unit kg

What a code means is found in `scanned`. It refuses (400) what it cannot read; an unknown product is a 404 that still
tells what the code says.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.records.rejection import Code
from holdfast.db.queries.filters import Filter
from holdfast.web.api.scanned import meaning_of
from holdfast.web.api.shapes import ScanDocument
from holdfast.web.http.route import STORE, Call, Route


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
    """The product that a code means, its price, and what there is of it."""
    product, scan, amount, warnings = meaning_of(call, call.filter.code)
    there = call.shop.reports.availability(call.actor.org_id, product["id"], seen=call.seen, stores=call.stores)
    assert there is not None, "nothing removes a product"
    return {
        "product_id": product["id"],
        "sku": product["sku"],
        "title": product["title"],
        "price": product["price"],
        "precision": product["precision"],
        "available": there["available"],
        "available_elsewhere": there["elsewhere"],
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
        "warnings": warnings,
    }


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/scan",
        summary="Read a scanned code",
        about=(
            "`quantity` is the weight, volume, area or length that the code says (GS1 AI 310n, 320n, 315n, 316n, "
            "314n, 311n, 321n to 323n), in `unit`s; `amount` (392n, 393n) is in the organisation's currency; `count` "
            "is AI 30 or 37. Codes of the shop's own scales are read by `barcode_prefixes` of the settings. "
            "`available` is what can be had here (in the caller's stores, the till's store, or `store_id`), "
            "`available_elsewhere` at which other locations. What the code says and no field shows is in `warnings`. "
            "An unknown product is a "
            "404 that still tells what the code says."
        ),
        tag="Scan",
        permission=Permission.READ,
        answer_with=read_scan,
        answer=ScanDocument,
        codes=(Code.PRODUCT_NOT_FOUND,),
        filter=ScannedCode,
        query=(STORE,),
    ),
)
