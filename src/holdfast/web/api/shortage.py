"""Shortages explained: what is short, and where else there is some of it.

    explain_shortage(call, rejected)     -> the same refusal, whose `lines` have title and available_elsewhere

A refusal of one line gets `lines` with that one, so that a page reads all of them alike.

What the core refuses stays as it is: how much is available where the goods were asked for is what the decision saw
under its lock. Where else there is some was read afterwards, and nobody holds it. Of stores that who asks may not read
of, nothing is said.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.records.rejection import Code, Rejected
from holdfast.web.http.route import Call, uuid_text

EXPLAINED_MAX = 20
"""Most products of one refusal that are explained."""


def explain_shortage(call: Call, rejected: Rejected) -> Rejected:
    """The refusal whose `lines` tell `title` and `available_elsewhere` of what is short."""
    if rejected.code != Code.INSUFFICIENT_STOCK:
        return rejected
    known: dict[str, dict[str, Any]] = {}
    store = _store(call)

    def explained(numbers: dict[str, Any]) -> dict[str, Any]:
        product_id, index = numbers.get("product_id"), numbers.get("index")
        if product_id is None or numbers.get("code", Code.INSUFFICIENT_STOCK) != Code.INSUFFICIENT_STOCK:
            return numbers
        if product_id not in known and len(known) < EXPLAINED_MAX:
            found = call.shop.reports.availability(
                call.actor.org_id,
                product_id,
                seen=call.seen,
                stores=call.stores,
                store=store,
                location=_location(call, index),
            )
            known[product_id] = {} if found is None else found
        there = known.get(product_id)
        if not there:
            return numbers
        return {**numbers, "title": there["title"], "available_elsewhere": there["elsewhere"]}

    numbers = rejected.numbers
    alone = {"index": 0, "code": str(rejected.code), **numbers, "detail": rejected.detail}
    lines = [explained(line) for line in numbers.get("lines") or [alone]]
    elsewhere = lines[0].get("available_elsewhere", [])
    numbers = {**numbers, "available_elsewhere": elsewhere, "lines": lines}
    return msgspec.structs.replace(rejected, numbers=numbers)


def _location(call: Call, index: int | None) -> str | None:
    """The location that the short line names, if it does."""
    line = call.body
    lines = getattr(call.body, "lines", None)
    if index is not None and isinstance(lines, list):
        line = lines[index] if index < len(lines) else None
    named = getattr(line, "location", None)
    return named if isinstance(named, str) else None


def _store(call: Call) -> str | None:
    """The store that sells: the one that the body names, or that of the sale in the path."""
    named = getattr(call.body, "store_id", None)
    if named is not None:
        return str(named)
    sale_id = uuid_text(call.args.get("id", ""))
    if sale_id is None:
        return None
    sale = call.shop.reports.sale(call.actor.org_id, sale_id, stores=call.stores)
    return None if sale is None else sale["store_id"]
