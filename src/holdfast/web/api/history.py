"""What happened, over HTTP: the ledger and the audit log, read only.

GET /api/v1/inventory/ledger?product=MUG-1&ref_type=SALE
GET /api/v1/audit?kind=product
"""

from __future__ import annotations

from holdfast.access import Permission
from holdfast.reports import Reports
from holdfast.web.api.shapes import AuditEntry, LedgerEntry, without_costs
from holdfast.web.http.route import PAGED, STORE, Pages, Route

_ALL_STORES = "The audit log is about all stores; you are assigned to some."

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
