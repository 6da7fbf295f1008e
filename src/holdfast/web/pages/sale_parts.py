"""The parts of a sale's page beside its lines: facts, money, shipments, returns, entries, receipt, and its forms.

    sums_of(sale)                                    -> [{"name": "Total", "amount": "27.00", "kind": "total"}, ...]
    forms_of(sale, lines)                            -> which actions there are, with what they would do in words

Amounts are the server's, as it answered them. Whether an action is allowed the API decides: a button that is there may
still be refused, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from holdfast.web.pages.inventory_entry import KIND_WORDS
from holdfast.web.pages.inventory_view import Json, number_text
from holdfast.web.pages.sale_view import METHOD_WORDS, UNFINISHED, is_some, person, time_of

TENDERS = ("cash", "card", "other")
"""Methods that a tender can be corrected to."""

CONDITIONS = {"good": "Good, to stock", "damaged": "Damaged, to quarantine", "none": "Not to stock"}
"""What a returned unit may be like, in words."""


def facts_of(sale: Json, store: str, zone: ZoneInfo) -> list[Json]:
    """What the head of the page says: who, from where, when, how much, and what is owed."""
    own = sale["order_number"] in (None, sale["number"])
    facts = [
        ("Customer", sale["customer"] or "not named"),
        ("Source", sale["source"] if own else f"{sale['source']}, order {sale['order_number']}"),
        ("Store", store or "all stores"),
        ("Made", time_of(sale["created_at"], zone)["when"]),
        ("By", person(sale["cashier"])),
        ("Total", sale["total"]),
        ("Paid", sale["paid"]),
        ("Still owed" if sale["status"] == "completed" else "To pay", sale["owed"]),
    ]
    return [{"name": name, "text": text} for name, text in facts]


def sums_of(sale: Json) -> list[Json]:
    """The money of the sale from its lines to what is due, and its tax at each rate."""
    rows = [("Lines", sale["subtotal"], "")]
    if is_some(sale["discount_total"]):
        rows.append(("Discount", f"-{sale['discount_total']}", ""))
    rows += [(fee["name"], fee["amount"], "") for fee in sale["fees"]]
    rows.append(("Total", sale["total"], "total"))
    if is_some(sale["rounding"]):
        rows.append(("Rounding of cash", sale["rounding"], ""))
    if is_some(sale["change"]):
        rows.append(("Change", sale["change"], ""))
    rows += [(f"{_tax_name(tax)} of {tax['net']}", tax["tax"], "tax") for tax in sale["taxes"]]
    if sale["tax_exempt"]:
        rows.append((f"No tax: {sale['tax_exempt']['reason']}", sale["tax_exempt"]["amount"], "tax"))
    return [{"name": name, "amount": amount, "kind": kind} for name, amount, kind in rows]


def _tax_name(tax: Json) -> str:
    """A tax with its rate, unless its name says a rate itself."""
    return str(tax["name"]) if "%" in tax["name"] else f"{tax['name']} {_percent(tax['rate'])}"


def _percent(rate: str) -> str:
    """A rate ("0.15") as a percentage ("15%")."""
    return f"{(Decimal(rate) * 100).normalize():f}%"


def shipment_of(shipment: Json, sale: Json, zone: ZoneInfo) -> Json:
    """A shipment: when, with which number, and what was in it."""
    lines = {line["id"]: line for line in sale["lines"]}
    goods = [
        f"{number_text(part['quantity'])} × {lines[part['line_id']]['title']}"
        for part in shipment["lines"]
        if part["line_id"] in lines
    ]
    return {
        "id": shipment["id"],
        "at": shipment["at"],
        "tracking": shipment["tracking"] or "",
        "goods": goods,
        **time_of(shipment["at"], zone),
    }


def return_of(made: Json, sale: Json, zone: ZoneInfo) -> Json:
    """A return: what came back in which condition, and how the money went back."""
    titles = {line["sku"]: line["title"] for line in sale["lines"]}
    return {
        "id": made["id"],
        "at": made["created_at"],
        "who": person(made["cashier"]),
        "total": made["refund_total"],
        "reason": made["reason"] or "",
        "refunds": [f"{one['amount']} {METHOD_WORDS[one['method']].lower()}" for one in made["refunds"]],
        "goods": [
            f"{number_text(line['quantity'])} × {titles.get(line['sku'], line['sku'])}, {line['condition']}"
            for line in made["lines"]
            if line["quantity"]
        ],
        **time_of(made["created_at"], zone),
    }


def entry_of_ledger(line: Json, zone: ZoneInfo) -> Json:
    """A ledger entry: what changed at which place, and the balance after it."""
    changes = [
        (line["qty_delta"], "on hand", line["balance_after"]),
        (line["reserved_delta"], "reserved", line["reserved_after"]),
        (line["backordered_delta"], "backordered", line["backordered_after"]),
    ]
    return {
        "at": line["created_at"],
        "kind": KIND_WORDS[line["ref_type"]],
        "sku": line["sku"],
        "location": line["location"],
        "lot": line["lot_code"] or "",
        "changes": [f"{delta:+,} {what}, {after:,} after" for delta, what, after in changes if delta],
        "value": line["value_delta"] if is_some(line["value_delta"]) else "",
        "who": person(line["actor"]),
        "why": line["reason"] or "",
        **time_of(line["created_at"], zone),
    }


def entry_of_journal(entry: Json, zone: ZoneInfo) -> Json:
    """A journal entry with its lines; each has a debit or a credit."""
    lines = [
        {
            "account": line["account"],
            "name": line["name"],
            "debit": line["debit"] if is_some(line["debit"]) else "",
            "credit": line["credit"] if is_some(line["credit"]) else "",
        }
        for line in entry["lines"]
    ]
    return {
        "id": entry["id"],
        "day": entry["day"],
        "description": entry["description"],
        "lines": lines,
        "at": entry["at"],
        **time_of(entry["at"], zone),
    }


def receipt_of(sale: Json, organisation: str, store: str, zone: ZoneInfo) -> Json | None:
    """The receipt as it is printed; None while the sale is not completed."""
    receipt = sale["receipt"]
    if receipt is None:
        return None
    at = receipt["completed_at"] or sale["updated_at"]
    sums = [row for row in sums_of(sale) if row["kind"] != "tax" and row["name"] not in ("Lines", "Change")]
    sums += [_sum(METHOD_WORDS[one["method"]], one["amount"]) for one in receipt["payments"]]
    if is_some(receipt["change"]):
        sums.append(_sum("Change", receipt["change"]))
    if is_some(receipt["owed"]):
        sums.append(_sum("Still owed", receipt["owed"]))
    for back in receipt["returned"]:
        sums += [_sum(f"Given back, {METHOD_WORDS[one['method']].lower()}", one["amount"]) for one in back["refunds"]]
    sums += [row for row in sums_of(sale) if row["kind"] == "tax"]
    sums += [_sum(f"Gift card {card['code']}", card["amount"]) for card in receipt["gift_cards"]]
    return {
        "organisation": organisation,
        "store": "" if store == organisation else store,
        "number": receipt["number"],
        "cashier": person(sale["cashier"]),
        "currency": receipt["currency"],
        "lines": [
            {
                "title": line["title"],
                "quantity": number_text(line["quantity"]),
                "unit_price": line["unit_price"],
                "total": line["line_total"],
            }
            for line in receipt["lines"]
        ],
        "sums": sums,
        **time_of(at, zone),
    }


def _sum(name: str, amount: str) -> Json:
    return {"name": name, "amount": amount, "kind": ""}


def forms_of(sale: Json, lines: Sequence[Json]) -> Json:
    """Which actions the page offers, and what cancelling would do, in words."""
    unfinished = sale["status"] in UNFINISHED
    return {
        "cancel": _cancelling(sale, lines) if unfinished else [],
        "pay": sale["owed"] if sale["status"] != "cancelled" and is_some(sale["owed"]) else "",
        "pay_words": "Take a deposit" if unfinished else "Take a payment",
        "ship": [line for line in lines if line["shippable"] != "0"] if unfinished else [],
        "return": [line for line in lines if line["returnable"] != "0"] if sale["status"] == "completed" else [],
        "payments": [_payment(payment) for payment in sale["payments"]],
        "tenders": [(method, METHOD_WORDS[method]) for method in TENDERS],
        "conditions": list(CONDITIONS.items()),
    }


def _payment(payment: Json) -> Json:
    """A payment, and whether its method can be corrected."""
    back = payment["amount"].startswith("-")
    return {
        "id": payment["id"] or "",
        "method": payment["method"],
        "name": METHOD_WORDS[payment["method"]],
        "amount": payment["amount"],
        "change": payment["change"] if is_some(payment["change"]) else "",
        "correctable": bool(payment["id"]) and not back and payment["method"] in TENDERS,
    }


def _cancelling(sale: Json, lines: Sequence[Json]) -> list[str]:
    """What cancelling does, with its numbers."""
    does = [f"{line['title']}: {words}" for line in lines for words in line["held"]]
    if len(does) > CANCELLED_NAMED_MAX:
        more = len(does) - CANCELLED_NAMED_MAX
        does = [*does[:CANCELLED_NAMED_MAX], f"and {more} more holds"]
    sentences = [f"Released: {one}" for one in does] or ["It holds nothing."]
    if is_some(sale["paid"]):
        sentences.append(f"{sale['paid']} was paid in advance: what is too much of it goes back.")
    if any(Decimal(str(line["fulfilled"])) for line in sale["lines"]):
        sentences.append("What has gone out stays sold: the sale is completed with it.")
    return sentences


CANCELLED_NAMED_MAX = 10
"""Most holds that the question names."""
