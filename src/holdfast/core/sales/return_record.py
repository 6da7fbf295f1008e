"""The record of a return: what is kept of goods that came back and of the money that went back, and how it is shown.

    a line      3 of MUG-1, good, refund 10.00 (exact), of it tax 1.67
    the return  10.00 in cash, handed out in coins that there are; the difference is its rounding

A return never changes. It refuses to compute anything: `returns` decides what is refunded.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.number import from_minor
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import invalid_state
from holdfast.core.records.sale import RETURNED_LINES_MAX
from holdfast.core.records.tax import TaxDocument, TaxShare, by_rate, tax_documents
from holdfast.core.records.time import instant_text


class KeptLine(msgspec.Struct, frozen=True, gc=False):
    """A returned line as it is kept; `refund` (exact), `tax` and the `loss` of damaged goods in minor units.

    `coin` is the smallest coin (minor units, 0: any amount) that the organisation had then. What an older version wrote
    has none; its refunds were not in proportion, nor its cash the nearest coin. `taxes` are the tax by rate, with the
    net of each; what an older version wrote has its sum alone. `tip` is what of the refund was for the staff.
    """

    line_id: str | None
    product_id: str
    units: int
    condition: str
    refund: int
    tax: int
    loss: int = 0
    coin: int | UnsetType = UNSET
    taxes: tuple[TaxShare, ...] | UnsetType = UNSET
    tip: int | UnsetType = UNSET

    @property
    def tax_shares(self) -> tuple[TaxShare, ...]:
        """Its tax by rate."""
        return () if self.taxes is UNSET else self.taxes


class Return(msgspec.Struct, frozen=True, gc=False):
    """The record of a return; `refund_total` is what was handed out, in minor units."""

    id: str
    sale_id: str | None
    store_id: str | None
    session_id: str | None
    method: str
    refund_total: int
    lines: tuple[KeptLine, ...]
    actor: str
    created_at: int

    @property
    def rounding(self) -> int:
        """What was handed out beyond (or, negative, below) the exact refunds of the lines, for want of a coin."""
        return self.refund_total - sum(line.refund for line in self.lines)


class ReturnLineDocument(msgspec.Struct, frozen=True, gc=False):
    """A returned line as the API shows it."""

    line_id: str | None
    product_id: str
    sku: str
    quantity: int | float
    condition: str
    refund: str


def not_too_many(before: list[Return]) -> list[Return]:
    """The returns of a sale so far; refused where one more would have to read more lines of them than is borne."""
    if sum(len(one.lines) for one in before) >= RETURNED_LINES_MAX:
        raise invalid_state(f"The returns of the sale have {RETURNED_LINES_MAX:,} lines: no more is brought back.")
    return before


class ReturnDocument(msgspec.Struct, frozen=True, gc=False):
    """A return as the API shows it: `refund_total` = the exact refunds of its lines + `rounding`."""

    id: str
    sale_id: str | None
    store_id: str | None
    refund: dict[str, str]
    refund_total: str
    rounding: str
    taxes: list[TaxDocument]
    lines: list[ReturnLineDocument]
    cashier: str
    created_at: str


def return_document(made: Return, products: dict[str, Product], digits: int) -> ReturnDocument:
    """The public shape of a return."""
    lines = []
    for line in made.lines:
        product = products[line.product_id]
        lines.append(
            ReturnLineDocument(
                line.line_id,
                product.id,
                product.sku,
                product.number(line.units),
                line.condition,
                from_minor(line.refund, digits),
            )
        )
    total = from_minor(made.refund_total, digits)
    return ReturnDocument(
        id=made.id,
        sale_id=made.sale_id,
        store_id=made.store_id,
        refund={"method": made.method, "amount": total},
        refund_total=total,
        rounding=from_minor(made.rounding, digits),
        taxes=tax_documents(by_rate([share for line in made.lines for share in line.tax_shares]), digits),
        lines=lines,
        cashier=made.actor,
        created_at=instant_text(made.created_at),
    )
