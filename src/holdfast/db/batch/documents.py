"""Which Struct is kept in which table: the records, and the documents beside them.

    DOCUMENTS["transfer"]      -> Transfer

The order is that of the foreign keys: parents before children.
"""

from __future__ import annotations

from typing import Any

from holdfast.core.organisation import changes as records
from holdfast.core.organisation import imports, views
from holdfast.core.organisation.periods import Period
from holdfast.core.records.sale import Counter
from holdfast.core.reservations import appointments
from holdfast.core.stock.journal import Account
from holdfast.core.warehouse import count_sheet, receiving, transfer

DOCUMENTS: dict[str, type[Any]] = {
    **{table: kind.struct for table, kind in records.KINDS.items()},
    "saved_views": views.SavedViews,
    "import_job": imports.ImportJob,
    "appointment": appointments.Appointment,
    "receipt": receiving.Receipt,
    "count_sheet": count_sheet.CountSheet,
    "transfer": transfer.Transfer,
    "account": Account,
    "counter": Counter,
    "period": Period,
    "audit": records.Audit,
}
"""The Struct of every document by its table."""

TABLE_ORDER = {table: number for number, table in enumerate(DOCUMENTS)}
"""Where each table stands in that order."""
