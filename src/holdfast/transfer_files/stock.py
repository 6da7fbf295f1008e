"""Opening stock from a CSV file: every line is received as a lot of its own, once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future
from itertools import islice
from typing import Any, TextIO

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.number import day_of, instant_of, to_unit_cost
from holdfast.core.product import folded
from holdfast.core.receiving import ReceiptLine, Receive
from holdfast.core.rejection import Rejected
from holdfast.db.bulk import locations_by_code, products_by_sku
from holdfast.transfer_files.table import (
    WAITING_MAX,
    BadLine,
    Line,
    Outcome,
    Progress,
    quantity_cell,
    read_table,
    test_columns,
    test_width,
    text_cell,
)

STOCK_COLUMNS = ("sku", "location", "quantity", "unit_cost", "lot_code", "expires_at")


def import_stock(
    shop: Holdfast,
    actor: Actor,
    file: TextIO,
    *,
    reference: str | None = None,
    dry_run: bool = False,
    again: bool = False,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Receive every line of a file as opening stock.

    A line is known by what it says (and, of equal lines, which one it is): one that was taken within the time that
    answers are kept is skipped, so a file whose bad lines were mended can be imported again as it is.
    """
    table = read_table(file)
    test_columns(table, STOCK_COLUMNS, ("sku", "location", "quantity"))
    outcome = Outcome()
    seen: dict[str, int] = {}
    while part := list(islice(table.lines, WAITING_MAX)):
        if dry_run:
            _look_at_stock(shop, actor, part, outcome)
        else:
            waiting: list[tuple[int, Future[Any]]] = []
            for line in part:
                try:
                    command = _receipt(line.cells, reference)
                except BadLine as bad:
                    outcome.refuse(line.number, str(bad))
                    continue
                said = _said(line.cells)
                seen[said] = seen.get(said, 0) + 1
                key = None if again else f"import-stock:{said}:{seen[said]}"
                future = shop.submit(actor, command, key=key, fingerprint=said, render=lambda _: b"{}")
                waiting.append((line.number, future))
            for number, future in waiting:
                reply = future.result()
                if isinstance(reply.answer, Rejected):
                    outcome.refuse(number, reply.answer.detail)
                elif reply.replayed:
                    outcome.skipped += 1
                else:
                    outcome.added += 1
        progress(len(part))
    return outcome


def _receipt(cells: Mapping[str, str], reference: str | None) -> Receive:
    test_width(cells)
    for name in ("sku", "location", "quantity"):
        if not cells.get(name):
            raise BadLine(f"The {name} is missing.")
    expires = cells.get("expires_at") or None
    at = None if expires is None else instant_of(expires)
    day = None if expires is None else day_of(expires)
    if expires is not None and at is None and day is None:
        raise BadLine(f"expires_at {expires[:40]!r} is neither a day (2027-03-01) nor a time (2027-03-01T09:00:00Z).")
    cost = cells.get("unit_cost") or None
    if cost is not None and (to_unit_cost(cost) is None or cost.startswith("-")):
        raise BadLine(f"unit_cost {cost[:40]!r} is no amount such as 3.50.")
    lot_code = cells.get("lot_code") or None
    line = ReceiptLine(
        text_cell("sku", cells["sku"]),
        quantity_cell("quantity", cells["quantity"]),
        unit_cost=cost,
        lot_code=None if lot_code is None else text_cell("lot_code", lot_code),
        expires_at=at,
        expires_on=day,
    )
    return Receive(text_cell("location", cells["location"]), (line,), kind="opening", reference=reference)


def _said(cells: Mapping[str, str]) -> str:
    """What a line says, as a SHA-256 in hex."""
    return hashlib.sha256("\0".join(cells.get(name, "") for name in STOCK_COLUMNS).encode()).hexdigest()


def _look_at_stock(shop: Holdfast, actor: Actor, part: list[Line], outcome: Outcome) -> None:
    """Say what would become of the lines."""
    products = products_by_sku(shop.database, actor.org_id, (line.cells.get("sku", "") for line in part))
    locations = locations_by_code(shop.database, actor.org_id)
    for line in part:
        try:
            receipt = _receipt(line.cells, None)
            asked = receipt.lines[0]
            product, place = products.get(asked.product), locations.get(folded(receipt.location))
            if place is None:
                raise BadLine(f"Location {receipt.location!r} does not exist.")
            if product is None:
                raise BadLine(f"Product {asked.product!r} does not exist.")
            units = product.units(asked.quantity)
            if units is None or units <= 0:
                raise BadLine(
                    f"Quantity {asked.quantity} of {product.sku} is not greater than 0, or has too many places."
                )
            if product.unlimited:
                raise BadLine(f"{product.sku} is {product.kind}: it has no stock.")
        except BadLine as bad:
            outcome.refuse(line.number, str(bad))
        else:
            outcome.added += 1
