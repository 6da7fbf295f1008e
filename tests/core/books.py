"""The books as the tables have them: journal entries as {account: amount}, and every way in which they are wrong.

entry_of(shop, sale.id)   -> [{"1000": 1980, "1200": -700, "4000": -1980, "5000": 700}]
book_faults(shop)         -> ["1200 has 3500, the lots are worth 2800"]
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from tests.shop import Shop


def entries_of(shop: Shop, ref_id: str | None = None) -> list[dict[str, int]]:
    """The journal entries of one reference (or all), oldest first: accounts with their amounts, debit positive."""
    found: dict[str, dict[str, int]] = {}
    for entry in shop.rows("SELECT id, ref_id FROM journal_entry ORDER BY id"):
        if ref_id in (None, entry["ref_id"]):
            found[entry["id"]] = {}
    for line in shop.rows("SELECT entry_id, account, amount FROM posting ORDER BY account"):
        if line["entry_id"] in found:
            assert line["account"] not in found[line["entry_id"]], "an account twice in one entry"
            found[line["entry_id"]][line["account"]] = line["amount"]
    return list(found.values())


def balances(shop: Shop) -> dict[str, int]:
    """What each account has come to, without those that are even."""
    query = "SELECT account, CAST(sum(amount) AS BIGINT) AS amount FROM posting GROUP BY account"
    return {line["account"]: line["amount"] for line in shop.rows(query) if line["amount"]}


def book_faults(shop: Shop) -> list[str]:
    """Entries that do not balance, and an inventory account that is not what the lots are worth."""
    faults = []
    sums: Counter[str] = Counter()
    for line in shop.rows("SELECT entry_id, amount FROM posting"):
        sums[line["entry_id"]] += line["amount"]
    faults += [f"entry {name} is out of balance by {amount}" for name, amount in sums.items() if amount]
    lots = sum(row["value"] for row in shop.rows("SELECT value FROM lot_stock"))
    inventory = balances(shop).get("1200", 0)
    if inventory != lots:
        faults.append(f"1200 has {inventory}, the lots are worth {lots}")
    return faults


def sale_faults(shop: Shop) -> list[str]:
    """Sales whose lines, holds, ledger and refunds do not agree."""
    faults = []
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in shop.rows("SELECT * FROM sale_line WHERE NOT removed"):
        lines[line["sale_id"]].append(line)
    precision = {row["id"]: row["precision"] for row in shop.rows("SELECT id, precision FROM product")}
    supplied = {one["line_id"]: one for one in shop.rows("SELECT * FROM supplier_order WHERE status != 'cancelled'")}
    moved: Counter[tuple[str, str]] = Counter()
    returns = {one["id"]: one for one in shop.rows("SELECT * FROM sale_return")}
    [organisation] = shop.rows("SELECT cash_rounding, minor_digits FROM organisation")
    coin = max(int(Decimal(organisation["cash_rounding"]).scaleb(organisation["minor_digits"])), 1)
    holds = shop.rows("SELECT id, sale_line_id, reserved_for_id FROM reservation")
    beside = {hold["id"] for hold in holds if hold["sale_line_id"] is None}
    sale_of = {hold["id"]: hold["reserved_for_id"] for hold in holds if hold["sale_line_id"] is not None}
    for entry in shop.rows("SELECT ref_id, product_id, qty_delta, reservation_id FROM ledger WHERE ref_type = 'SALE'"):
        if entry["reservation_id"] not in beside:
            sale_id = sale_of.get(entry["reservation_id"], entry["ref_id"])
            moved[sale_id, entry["product_id"]] -= entry["qty_delta"]
    refunds: Counter[str] = Counter()
    for one in returns.values():
        if one["sale_id"] is not None:
            kept = json.loads(one["lines"]) if isinstance(one["lines"], str) else one["lines"]
            # What no coin can pay is beside it; what the shop withheld is answered as well.
            refunds[one["sale_id"]] += sum(line["refund"] + line.get("withheld", 0) for line in kept)
        for part in _refunds_of(one):
            if part["method"] == "cash" and part["amount"] % coin:
                faults.append(f"return {one['id']}: no coins for {part['amount']}")
    active = shop.rows("SELECT reserved_for_id FROM reservation WHERE status = 'active'")
    held = {hold["reserved_for_id"] for hold in active}
    for sale in shop.rows("SELECT * FROM sale"):
        own = lines[sale["id"]]
        due = sale["total"] + sale["rounding"]
        if sale["status"] in ("completed", "cancelled") and sale["id"] in held:
            faults.append(f"{sale['number']} is {sale['status']} and still holds stock")
        if refunds[sale["id"]] > due:
            faults.append(f"{sale['number']}: {refunds[sale['id']]} refunded of {due}")
        wanted: Counter[str] = Counter()
        for line in own:
            wanted[line["product_id"]] += line["fulfilled"] if line["kind"] == "stock" else 0
        for product_id, units in wanted.items():
            if moved[sale["id"], product_id] != units:
                faults.append(f"{sale['number']}: {units} fulfilled, the ledger sold {moved[sale['id'], product_id]}")
        if sale["status"] in ("completed", "cancelled"):
            sent = {line["id"]: line["fulfilled"] for line in own if line["kind"] == "dropship"}
            asked = {line["id"]: supplied[line["id"]]["quantity"] for line in own if line["id"] in supplied}
            if asked != {name: units for name, units in sent.items() if units}:
                faults.append(f"{sale['number']}: {asked} ordered from suppliers, {sent} sold")
        if sale["status"] == "completed":
            faults += _completed_faults(sale, own, due, refunds[sale["id"]], precision)
    return faults


def _refunds_of(one: dict[str, Any]) -> list[dict[str, Any]]:
    """What went back by each method."""
    parts = json.loads(one["refunds"]) if isinstance(one["refunds"], str) else one["refunds"]
    return parts or [{"method": one["method"], "amount": one["refund_total"]}]


def _completed_faults(
    sale: dict[str, Any], lines: list[dict[str, Any]], due: int, refunded: int, precision: dict[str, int]
) -> list[str]:
    faults = []
    if sum(line["due"] for line in lines) != due:
        faults.append(f"{sale['number']}: its lines' dues are not {due}")
    if any(line["fulfilled"] != line["quantity"] for line in lines):
        faults.append(f"{sale['number']} is completed with something open")
    for line in lines:
        gross = line["unit_price"] * line["quantity"] / 10 ** precision[line["product_id"]]
        if not line["breaks"] and abs(line["gross"] - gross) > 1:
            faults.append(f"{sale['number']}: {line['quantity']} at {line['unit_price']} are not {line['gross']}")
        taken = json.loads(line["taken"]) if isinstance(line["taken"], str) else line["taken"]
        for part in taken:
            if part["returned_units"] == part["units"] and part["returned_value"] != part["value"]:
                faults.append(f"{sale['number']}: what came back whole has not its value: {part}")
    if sale["posted"] != sale["total"]:
        faults.append(f"{sale['number']}: {sale['posted']} posted of {sale['total']}")
    if sale["paid"] - sale["change"] + sale["settled"] > due:
        faults.append(f"{sale['number']}: paid {sale['paid']}, change {sale['change']}, due {due}")
    if all(line["returned"] == line["quantity"] for line in lines) and refunded != sum(line["due"] for line in lines):
        faults.append(f"{sale['number']}: all came back for {refunded}, {due} was due")
    return faults
