"""What happened, over HTTP: the ledger, a product's line in it, and the audit log, read only.

GET /api/v1/inventory/ledger?product=MUG-1&ref_type=SALE
GET /api/v1/products/MUG-1/history?location=MAIN
GET /api/v1/audit?kind=product
"""

from __future__ import annotations

from typing import Any

from holdfast.access import Permission
from holdfast.core.records.rejection import Code
from holdfast.db.queries.history import HistoryFilter
from holdfast.reports import Reports
from holdfast.web.api.shapes import AuditEntry, HistoryDocument, LedgerEntry, without_costs
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route, found, reference

_ALL_STORES = "The audit log is about all stores; you are assigned to some."


def read_history(call: Call) -> Any:
    """A product's past in steps."""
    filters: HistoryFilter = call.filter
    if filters.from_ is not None and filters.to is not None and filters.from_ >= filters.to:
        raise invalid("from", "is not before to.")
    product = reference(call.args["id"])
    steps = call.shop.reports.product_history(call.actor.org_id, product, filters, stores=call.stores)
    return found(steps, Code.PRODUCT_NOT_FOUND, "Product", product)


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/inventory/ledger",
        summary="List ledger entries",
        tag="Ledger",
        permission=Permission.READ,
        answer_with=Pages(Reports.ledger),
        hide=without_costs,
        answer=[LedgerEntry],
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path="/api/v1/products/{id}/history",
        summary="Read how much there was of a product, as a line",
        about="At most 400 steps, the first one of how it stood at `from` (default: 30 days before `to`, which is now "
        "by default). `exact` says that each instant at which something changed is a step; of a longer ledger the time "
        "is divided into equal parts, and each part has the state at its end. A step of an exact line has `marks`: "
        "`RECEIPT` and `COUNT` where goods were received or counted then. At all locations of the caller's stores, or "
        "at one.",
        tag="Ledger",
        permission=Permission.READ,
        answer_with=read_history,
        answer=HistoryDocument,
        codes=(Code.PRODUCT_NOT_FOUND,),
        filter=HistoryFilter,
        query=(STORE,),
    ),
    Route(
        method="GET",
        path="/api/v1/audit",
        summary="List what was done, by whom",
        about="The audit log and the stock ledger together; a line of the ledger has kind `stock`.",
        tag="Audit",
        permission=Permission.MANAGE,
        answer_with=Pages(Reports.audit, of_all_stores=_ALL_STORES),
        answer=[AuditEntry],
        query=PAGED,
    ),
)
