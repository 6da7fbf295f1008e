"""The check of parts: what was given for a part of a line is its proportion of the line, to less than a minor unit."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import UNSET

from holdfast.check.expected_money import ExpectedMoney, PaidAtTills
from holdfast.check.run import Run, Tally
from holdfast.core.records.proportion import share_of_older_versions
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.sales.return_record import KeptLine, Return
from holdfast.core.sales.shipment import terms_of
from holdfast.core.sales.taxes import refundable_taxes
from holdfast.db.audit_rows import Snapshot


class Part(NamedTuple):
    """A part of something: its units, the amount (minor units) that was given for them, and whether an older version
    gave it, by another rule."""

    units: int
    amount: int
    older: bool


class SharesCheck(Run):
    """Shipments and returns of a sale against its lines; `money` adds up what the books must have, `tills` what was
    paid at a till apart from the completion of a sale."""

    def __init__(
        self, rows: Snapshot, org_id: str | None, tally: Tally, money: ExpectedMoney, tills: PaidAtTills
    ) -> None:
        super().__init__(rows, org_id, tally)
        self.money = money
        self.tills = tills

    def _shipped(self, org_id: str, sale: Sale, lines: list[SaleLine]) -> None:
        """What shipments have booked of each line, as it was kept, is its proportion of the line's terms."""
        terms = terms_of(sale, lines)
        totals: dict[str, list[Part]] = {}
        taxes: dict[str, list[Part]] = {}
        for part in sale.fulfillments:
            for index, (line_id, units) in enumerate(part.lines):
                older, of = part.amounts is UNSET, terms.get(line_id)
                if of is None:
                    self._tell("fulfillment.line", f"sale {sale.id}", "a line of it", line_id, org_id=org_id)
                    continue
                start = sum(one.units for one in totals.get(line_id, []))
                if part.amounts is UNSET:
                    total = share_of_older_versions(of.total, of.units, start, units)
                    tax = share_of_older_versions(of.tax, of.units, start, units)
                else:
                    total, tax = part.amounts[index]
                totals.setdefault(line_id, []).append(Part(units, total, older))
                taxes.setdefault(line_id, []).append(Part(units, tax, older))
        for line_id, of in terms.items():
            name = f"sale_line {line_id}"
            kept = totals.get(line_id, [])
            self._shared("fulfillment.total is in proportion", name, of.total, of.units, kept, org_id)
            self._shared("fulfillment.tax is in proportion", name, of.tax, of.units, taxes.get(line_id, []), org_id)
        if sale.unfinished and all(part.amounts is not UNSET for part in sale.fulfillments):
            sums = tuple(sum(one.amount for parts in of.values() for one in parts) for of in (totals, taxes))
            self._same(
                "sale.posted is its shipments", f"sale {sale.id}", sums, (sale.posted, sale.posted_tax), org_id=org_id
            )

    def _returned(self, org_id: str, sale: Sale, lines: list[SaleLine], returns: list[Return]) -> None:
        """What came back of each line, and what was refunded for it, as it was kept."""
        returns = sorted(returns, key=lambda made: (made.created_at, made.id))
        self._handed_out(org_id, returns)
        back: dict[str | None, list[KeptLine]] = {}
        for made in returns:
            for part in made.lines:
                back.setdefault(part.line_id, []).append(part)
        taxes = refundable_taxes(sale, lines)
        # Coins that paid what was owed may have moved what is due for lines of which some had come back.
        rounded = bool(sale.rounding) and any(not payment.with_sale for payment in sale.payments)
        for line in lines:
            tax = sum(share.tax for share in taxes[line.id])
            parts = back.pop(line.id, [])
            if not 0 <= line.returned <= line.quantity:
                continue  # told already
            name = f"sale_line {line.id}"
            self._same("sale_line.returned", name, line.returned, sum(part.units for part in parts), org_id=org_id)
            goods = [part for part in parts if part.units]
            off = [part for part in parts if not part.units]
            due = line.due - sum(part.answered for part in off)
            tax -= sum(part.answered_tax for part in off)
            kept = [Part(part.units, part.answered, part.coin is UNSET) for part in goods]
            self._shared(
                "sale_return.refund is in proportion",
                name,
                due,
                line.quantity,
                kept,
                org_id,
                moved=rounded or bool(off),
            )
            kept = [Part(part.units, part.answered_tax, part.coin is UNSET) for part in goods]
            self._shared("sale_return.tax is in proportion", name, tax, line.quantity, kept, org_id, moved=bool(off))
        for line_id in back:
            made = next(made for made in returns if any(part.line_id == line_id for part in made.lines))
            self._tell("sale_return.line", f"sale_return {made.id}", line_id, None, org_id=org_id)

    def _handed_out(self, org_id: str, returns: list[Return]) -> None:
        """What was handed out is the exact refund, or in cash the nearest coin of all that was due in cash so far."""
        owed = 0
        for made in returns:
            coins = [line.coin for line in made.lines if line.coin is not UNSET]
            cash = [part.amount for part in made.parts if part.method == "cash"]
            owed -= made.rounding if cash else 0
            if not coins:
                continue  # an older version rounded by another rule
            fits = 2 * abs(owed) <= coins[0] or not sum(cash) if cash else made.rounding == 0
            self._same("sale_return.refund_total", f"sale_return {made.id}", True, fits, org_id=org_id)

    def _shared(
        self,
        invariant: str,
        name: str,
        amount: int,
        whole: int,
        parts: list[Part],
        org_id: str,
        *,
        moved: bool = False,
    ) -> None:
        """What was given for the first units of a whole is their proportion of the amount, to less than a minor unit.

        Where the amount was `moved` meanwhile (money off), no more than it was given, and all of it for all units.

        Nothing here is computed again: the amounts are those that were kept. What an older version gave may be anything
        up to the amount; after it nothing more is given until it is due.
        """
        units = given = 0
        older = False
        for part in parts:
            units, given, older = units + part.units, given + part.amount, older or part.older
            near = abs(given * whole - amount * units) < whole
            ahead = older and (part.older or not part.amount) and given * whole >= amount * units
            if not (near or ahead or part.older or moved) or part.amount < 0 or given > amount:
                self._tell(invariant, name, f"{amount} x {units} / {whole}", given, org_id=org_id)
                return
        if whole and units == whole:
            self._same(invariant, name, amount, given, org_id=org_id)
