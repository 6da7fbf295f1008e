"""Shipments: what of a sale's money belongs to the parts of it that went out, and to what is left of its lines.

    3 pens for 10.00; one by one they go out       -> 3.34, 3.33, 3.33 are booked
    2.5 kg for 60.00; 1 kg goes out, then cancel   -> 24.00 are booked, and the line comes to 24.00

When the first part goes out the terms of every line are kept: its units, its total, its tax. A part of a line bears its
proportion of them, cumulative, less what was booked for the line before; so it does not matter in how many parts a line
goes out, or how often what is open of it is made smaller. It refuses to compute anything from prices: what was booked
stands.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET

from holdfast.core.records.proportion import half_up, share_of_older_versions, share_so_far, share_still_due
from holdfast.core.records.rejection import invalid_state
from holdfast.core.records.sale import (
    SHIPMENTS_MAX,
    SHIPPED_PARTS_MAX,
    Fulfillment,
    Sale,
    SaleLine,
    Shipped,
    ShippedTerms,
)
from holdfast.core.records.tax import resized
from holdfast.core.records.totals import Discount, taken_off
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import lines_of, product_of_line

replace = msgspec.structs.replace


def refuse_more_shipments(sale: Sale) -> None:
    """Refuse one more shipment of a sale of which so much is kept already that each change of it would take long."""
    made = len(sale.fulfillments)
    if made >= SHIPMENTS_MAX:
        raise invalid_state(f"The sale has {SHIPMENTS_MAX:,} shipments: complete it.", sale_status=sale.status)
    parts = sum(len(one.lines) + (0 if one.moved is UNSET else len(one.moved)) for one in sale.fulfillments)
    if parts >= SHIPPED_PARTS_MAX:
        words = f"The {made:,} shipments of the sale have {parts:,} lines and lots: complete it."
        raise invalid_state(words, sale_status=sale.status)


class Booked(NamedTuple):
    """What shipments have booked of a line: smallest units, and minor units with their tax."""

    units: int = 0
    total: int = 0
    tax: int = 0


def terms_now(lines: list[SaleLine]) -> tuple[ShippedTerms, ...]:
    """The terms of lines as they stand."""
    return tuple(ShippedTerms(line.id, line.quantity, line.total, line.tax) for line in lines)


def terms_of(sale: Sale, lines: list[SaleLine]) -> dict[str, ShippedTerms]:
    """The terms of the sale's lines by id: those that were kept, or (nothing went out yet, or before they were kept)
    the lines as they stand."""
    kept = sale.fulfillments[0].terms if sale.fulfillments else UNSET
    return {terms.line_id: terms for terms in (terms_now(lines) if kept is UNSET else kept)}


def with_terms(sale: Sale, lines: list[SaleLine]) -> Sale:
    """The sale with the terms of its lines in its first shipment, where an older version did not keep them."""
    if not sale.fulfillments or sale.fulfillments[0].terms is not UNSET:
        return sale
    first = replace(sale.fulfillments[0], terms=terms_now(lines))
    return replace(sale, fulfillments=(first, *sale.fulfillments[1:]))


def booked_by_line(sale: Sale, terms: dict[str, ShippedTerms]) -> dict[str, Booked]:
    """What the shipments of the sale have booked, by line."""
    booked: dict[str, Booked] = {}
    for part in sale.fulfillments:
        for index, (line_id, units) in enumerate(part.lines):
            before, of = booked.get(line_id, Booked()), terms.get(line_id)
            total = tax = 0
            if part.amounts is not UNSET:
                total, tax = part.amounts[index]
            elif of is not None:
                total = share_of_older_versions(of.total, of.units, before.units, units)
                tax = share_of_older_versions(of.tax, of.units, before.units, units)
            booked[line_id] = Booked(before.units + units, before.total + total, before.tax + tax)
    return booked


def amounts_of(sale: Sale, lines: list[SaleLine], asked: dict[str, int]) -> tuple[tuple[int, int], ...]:
    """The (total, tax) in minor units to book for `asked` units of lines, in its order."""
    terms = terms_of(sale, lines)
    booked = booked_by_line(sale, terms)
    amounts = []
    for line_id, units in asked.items():
        of, before = terms[line_id], booked.get(line_id, Booked())
        reached = before.units + units
        total = share_still_due(of.total, of.units, reached, before.total)
        amounts.append((total, share_still_due(of.tax, of.units, reached, before.tax)))
    return tuple(amounts)


def cut_line(stock: Stock, line: SaleLine, units: int, terms: ShippedTerms, booked: Booked) -> SaleLine:
    """The line as if only `units` had been ordered: its proportion, though never less than was booked for it.

    The discount is what that leaves of price x units; an amount that was asked off the line is its proportion as well,
    so that the line comes to about the same where it is priced anew.
    """
    tax = max(share_so_far(terms.tax, terms.units, units), booked.tax)
    total = max(share_so_far(terms.total, terms.units, units), booked.total)
    net = total - (tax if line.total - line.tax == line.gross - line.discount else 0)
    gross = half_up(line.unit_price * units, 10 ** product_of_line(stock, line).precision)
    discount = max(0, gross - net)
    asked = line.asked
    if asked is not None and asked.amount is not None:
        asked = Discount(amount=min(share_so_far(asked.amount, line.quantity, units), net + discount))
    return replace(
        line,
        quantity=units,
        asked=asked,
        gross=net + discount,
        discount=discount,
        tax=tax,
        total=total,
        taxes=resized(line.tax_shares, tax, total - tax) or None,
        updated_at=stock.now,
    )


def cut_lines(stock: Stock, sale: Sale, left: dict[str, int]) -> Sale:
    """The sale with so many units `left` of its lines (0: the line is removed), kept with its lines; fees stand.

    Of an amount that was taken off the whole sale what the lines bear is left: when all of it is taken back, they are
    priced by that.
    """
    lines = lines_of(stock, sale)
    sale = with_terms(sale, lines)
    terms = terms_of(sale, lines)
    booked = booked_by_line(sale, terms)
    kept = []
    for line in lines:
        units = left.get(line.id, line.quantity)
        if not units:
            stock.put_row(replace(line, removed=True, updated_at=stock.now))
            continue
        if units != line.quantity:
            line = cut_line(stock, line, units, terms[line.id], booked.get(line.id, Booked()))
            stock.put_row(line)
        kept.append(line)
    if sale.discount is not None and sale.discount.amount is not None:
        sale = replace(sale, discount=Discount(amount=sum(map(borne_of_sale, kept))))
    sale = replace(
        sale,
        subtotal=sum(line.gross for line in kept),
        discount_total=sum(line.discount for line in kept),
        tax_total=sale.tax_total + sum(line.tax for line in kept) - sum(line.tax for line in lines),
        total=sale.total + sum(line.total for line in kept) - sum(line.total for line in lines),
        updated_at=max(stock.now, sale.updated_at),
    )
    stock.put_row(sale)
    return sale


def borne_of_sale(line: SaleLine) -> int:
    """What of a line's discount is its share of the sale's, in minor units."""
    own = taken_off(line.gross, line.asked)
    return 0 if own is None else max(0, line.discount - own)


def without(sale: Sale, part: Fulfillment, lines: list[SaleLine]) -> Sale:
    """The sale without one of its shipments; the terms stay with the first of those that are left.

    What those have booked of a line is made its proportion again: the last of them bears the difference. Where none is
    left, but lines were made smaller since the terms were kept, the terms stay alone: the amounts are shares of them.
    """
    terms = terms_of(sale, lines)
    rest = [one for one in sale.fulfillments if one.id != part.id]
    if not rest and {(line.id, line.quantity) for line in lines} != {(of.line_id, of.units) for of in terms.values()}:
        rest = [replace(part, lines=(), amounts=(), moved=(), before=UNSET)]
    if rest and rest[0].terms is UNSET:
        rest[0] = replace(rest[0], terms=tuple(terms.values()))
    booked = booked_by_line(replace(sale, fulfillments=tuple(rest)), terms)
    more = {}
    for line_id, _ in part.lines:
        of, now = terms[line_id], booked.get(line_id, Booked())
        due = share_so_far(of.total, of.units, now.units), share_so_far(of.tax, of.units, now.units)
        more[line_id] = due[0] - now.total, due[1] - now.tax
    return replace(sale, fulfillments=tuple(_evened(rest, more)))


def priced_anew(sale: Sale) -> Sale:
    """The sale before it is changed as a cart, to be priced like one: without terms of which nothing went out, and
    with what its source stated as something that was."""
    if any(part.lines for part in sale.fulfillments):
        return sale
    stated = None if sale.stated is None else replace(sale.stated, changed=True)
    return replace(sale, fulfillments=(), stated=stated)


def _evened(parts: list[Fulfillment], more: dict[str, tuple[int, int]]) -> list[Fulfillment]:
    """The shipments with `more` (total, tax) booked for lines: by the last one that has the line, unless an older
    version made it, whose amounts stand."""
    left = {line_id: amounts for line_id, amounts in more.items() if any(amounts)}
    evened = []
    for part in reversed(parts):
        amounts = [] if part.amounts is UNSET else list(part.amounts)
        for index, (line_id, _) in enumerate(part.lines):
            total, tax = left.pop(line_id, (0, 0))
            if amounts:
                amounts[index] = amounts[index][0] + total, amounts[index][1] + tax
        evened.append(part if part.amounts is UNSET else replace(part, amounts=tuple(amounts)))
    return evened[::-1]


def moved_since(stock: Stock, first_entry: int, line_id: str) -> list[Shipped]:
    """What SALE entries from that number on took from which lots by which holds."""
    return [
        Shipped(
            line_id,
            entry.reservation_id,
            entry.lot_id,
            entry.location_id,
            -entry.qty_delta,
            -entry.value_delta,
        )
        for entry in stock.entries[first_entry:]
        if entry.ref_type == "SALE" and entry.lot_id is not None and entry.reservation_id is not None
    ]
