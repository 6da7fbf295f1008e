"""The record of a return: what is kept of goods that came back and of the money that went back, and how it is shown.

    a line      3 of MUG-1, good, refund 10.00 (exact), of it tax 1.67
    the return  10.00 in cash, handed out in coins that there are; the difference is its rounding

A return never changes. It refuses to compute anything: `refunds` decides what is refunded.
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
    `withheld` is what was due for the units and kept by the shop, with `withheld_tax` in it. A line without units is
    money off: nothing came back. `card_value` is what gift cards that came back were worth.
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
    withheld: int | UnsetType = UNSET
    withheld_tax: int | UnsetType = UNSET
    card_value: int | UnsetType = UNSET

    @property
    def cards(self) -> int:
        """What gift cards that came back were worth."""
        return 0 if self.card_value is UNSET else self.card_value

    @property
    def answered(self) -> int:
        """What of the line's due is done with: refunded, or withheld for good."""
        return self.refund + (0 if self.withheld is UNSET else self.withheld)

    @property
    def answered_tax(self) -> int:
        """The tax in `answered`."""
        return self.tax + (0 if self.withheld_tax is UNSET else self.withheld_tax)

    @property
    def tax_shares(self) -> tuple[TaxShare, ...]:
        """Its tax by rate."""
        return () if self.taxes is UNSET else self.taxes


class Refund(msgspec.Struct, frozen=True, gc=False):
    """What went back by one method, in minor units: cash in coins. `card` is the id of the gift card that got it."""

    method: str
    amount: int
    card: str | UnsetType = UNSET


class Return(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The record of a return; `refund_total` is what was handed out or set against what was owed, in minor units.

    `refunds` says by which methods, where it is more than `method` says. `reason` is why money was given off,
    `exchanged_for` the sale that took the place of the goods. A checksum leaves out fields
    that have their default, so rows that an older version wrote still fit.
    """

    id: str
    sale_id: str | None
    store_id: str | None
    session_id: str | None
    method: str
    refund_total: int
    lines: tuple[KeptLine, ...]
    actor: str
    created_at: int
    refunds: tuple[Refund, ...] | None = None
    reason: str | None = None
    exchanged_for: str | None = None

    @property
    def parts(self) -> tuple[Refund, ...]:
        """What went back by each method."""
        return self.refunds if self.refunds is not None else (Refund(self.method, self.refund_total),)

    @property
    def cash_rounding(self) -> int:
        """`rounding`, where cash went out: other methods give back what is exact."""
        return self.rounding if any(part.method == "cash" for part in self.parts) else 0

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
    withheld: str


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
    refunds: list[dict[str, str]]
    refund_total: str
    rounding: str
    taxes: list[TaxDocument]
    lines: list[ReturnLineDocument]
    reason: str | None
    exchanged_for: str | None
    cashier: str
    created_at: str


def _refund(part: Refund, digits: int, codes: dict[str, str]) -> dict[str, str]:
    """What went back by a method, with the code of the gift card that got it where that is told."""
    shown = {"method": part.method, "amount": from_minor(part.amount, digits)}
    code = None if part.card is UNSET else codes.get(part.card)
    return shown if code is None else {**shown, "code": code}


def return_document(
    made: Return, products: dict[str, Product], digits: int, codes: dict[str, str] | None = None
) -> ReturnDocument:
    """The public shape of a return; `codes` are those of gift cards that got its money, by id."""
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
                from_minor(line.answered - line.refund, digits),
            )
        )
    total = from_minor(made.refund_total, digits)
    return ReturnDocument(
        id=made.id,
        sale_id=made.sale_id,
        store_id=made.store_id,
        refund={"method": made.method, "amount": from_minor(made.parts[0].amount, digits)},
        refunds=[_refund(part, digits, codes or {}) for part in made.parts],
        refund_total=total,
        rounding=from_minor(made.rounding, digits),
        taxes=tax_documents(by_rate([share for line in made.lines for share in line.tax_shares]), digits),
        lines=lines,
        reason=made.reason,
        exchanged_for=made.exchanged_for,
        cashier=made.actor,
        created_at=instant_text(made.created_at),
    )
