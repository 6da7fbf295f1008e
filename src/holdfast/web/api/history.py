"""What happened, over HTTP: the ledger and the audit log, read only.

GET /api/v1/inventory/ledger?product=MUG-1&ref_type=SALE
GET /api/v1/audit?kind=product
"""

from __future__ import annotations

from typing import Any, get_args

from holdfast.access import Permission
from holdfast.core.records.ledger import RefType
from holdfast.web.api.shapes import AuditEntry, LedgerEntry, without_costs
from holdfast.web.http.problems import Problem
from holdfast.web.http.route import PAGED, STORE, Call, Query, Route

_FROM_TO = (
    Query("from", "Not before this instant.", "instant"),
    Query("to", "Before this instant.", "instant"),
)


def list_ledger(call: Call) -> Any:
    """Ledger entries, newest first."""
    query = call.query
    names = ("product", "location", "lot_id", "order_number", "ref_type", "source", "actor", "to")
    filters: dict[str, Any] = {name: query.get(name) for name in names}
    return call.shop.reports.ledger(
        call.actor.org_id, **filters, from_=query.get("from"), stores=call.stores, **call.paging()
    )


def list_audit(call: Call) -> Any:
    """Audit log and ledger together, newest first; it is about the whole organisation."""
    if call.actor.stores:
        raise Problem("FORBIDDEN", "The audit log is about all stores; you are assigned to some.")
    query = call.query
    filters: dict[str, Any] = {
        name: query.get(name) for name in ("actor", "kind", "action", "record_id", "address", "to")
    }
    return call.shop.reports.audit(call.actor.org_id, **filters, from_=query.get("from"), **call.paging())


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/inventory/ledger",
        summary="List ledger entries",
        tag="Ledger",
        permission=Permission.READ,
        answer_with=list_ledger,
        hide=without_costs,
        answer=[LedgerEntry],
        query=(
            Query("product", "Only of this product (id or SKU)."),
            Query("location", "Only at this location (code)."),
            Query("lot_id", "Only of this lot."),
            Query("order_number", "Only for this order."),
            Query("ref_type", "Only of this kind.", choices=get_args(RefType)),
            Query("source", "Only of this source."),
            Query("actor", "Only by this actor, as `key:till 3`."),
            *_FROM_TO,
            STORE,
            *PAGED,
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/audit",
        summary="List what was done, by whom",
        about="The audit log and the stock ledger together; a line of the ledger has kind `stock`.",
        tag="Audit",
        permission=Permission.MANAGE,
        answer_with=list_audit,
        answer=[AuditEntry],
        query=(
            Query("actor", "Only by this actor."),
            Query("kind", "Only of this kind of record; `stock` is the ledger."),
            Query("action", "Only this action."),
            Query("record_id", "Only of this record."),
            Query("address", "Only from this client address; the ledger knows none."),
            *_FROM_TO,
            *PAGED,
        ),
    ),
)
