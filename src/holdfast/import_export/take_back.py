"""Taking an import back: row by row from the last one, what nothing has moved since.

    take_back(shop, actor, job, ask)

A row that was added goes: opening stock leaves its lot, an order is cancelled, a product is put out of use. One that
was changed is as it was before. The core tests under its locks that it is still as the import left it; what is not, or
cannot be taken back at all, stays, and the row says why. Each command goes with a key, so a job that was killed goes on
where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.fingerprint import OWN_KEY
from holdfast.core.organisation.products import TakeBackProduct
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Rejected
from holdfast.core.sales.correction import TakeBackOrder
from holdfast.core.warehouse.adjustment import TakeBackQuantity
from holdfast.core.warehouse.opening_stock import TakeBackReceipt
from holdfast.db.imports import Job, begin_taking_back, keep_taken_back, rows_to_take_back
from holdfast.import_export.job_rows import LeaseLost

PART = 100
"""Rows that are taken back together: others of the organisation wait for them."""

REASON = "import taken back"
"""The reason that ledger entries have."""

STAYS = {
    "sale": "The order was there before: the import has only brought it on.",
    "return": "Goods that came back stay.",
    "entry": "An adjustment stays: adjust it the other way round.",
}
"""Why a row of such a thing is kept that says nothing of how it is taken back."""


def take_back(shop: Holdfast, actor: Actor, job: Job, ask: Callable[[], None]) -> None:
    """Take the rows back; `ask` is called between two parts and raises what ends the work."""
    begin_taking_back(shop.database, job)
    while rows := rows_to_take_back(shop.database, job, PART):
        sent = []
        for row in rows:
            command = command_of(row["undo"])
            named: dict[str, Any] = {"key": f"{OWN_KEY}import-back:{job.id}:{row['position']}", "fingerprint": "back"}
            sent.append(None if command is None else shop.submit(actor, command, render=lambda _: b"{}", **named))
        outcomes: list[tuple[int, str | None]] = []
        for row, future in zip(rows, sent, strict=True):
            answer = None if future is None else future.result().answer
            reason = answer.detail if isinstance(answer, Rejected) else None
            outcomes.append((row["position"], _stays(row) if future is None else reason))
        if not keep_taken_back(shop.database, job, outcomes):
            raise LeaseLost
        ask()


def _stays(row: Any) -> str:
    kinds = [made["kind"] for made in row["made"]]
    return next((STAYS[kind] for kind in kinds if kind in STAYS), "Nothing tells how it was before.")


def command_of(undo: dict[str, Any]) -> Command | None:
    """The command that takes a row back, as the row says; None where it says nothing."""
    match undo.get("kind"):
        case "receipt":
            return TakeBackReceipt(undo["id"], REASON)
        case "level":
            numbers = exact(undo["before"]), exact(undo["after"])
            return TakeBackQuantity(undo["product"], undo["location"], *numbers, REASON)
        case "sale":
            return TakeBackOrder(undo["id"])
        case "product":
            if "before" not in undo:
                return TakeBackProduct(product_id=undo["id"], seen=undo["seen"], unused=True, active=False)
            before = {name: exact(value) for name, value in undo["before"].items()}
            return TakeBackProduct(product_id=undo["id"], seen=undo["seen"], **before)
    return None


def exact(value: Any) -> Any:
    """A number as commands take it: JSON has read one with places as a float."""
    return Decimal(str(value)) if isinstance(value, float) else value
