"""The tax of a sale by rate: of all of it, of a part that goes out, of units that come back (docs/how-to/sell.md).

    taxes_of(sale, lines)         -> VAT 20% 4.00 of 20.00, VAT 5% 0.50 of 10.00
    taxes_booked(sale, lines)     -> what of it the shipments have booked so far
    taxes_left(sale, lines)       -> what is booked when the sale is done

What is booked is cumulative: so far, less what was booked before; all parts are the whole. A sale that is exempt has
one share without tax, so that a report names its net. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from holdfast.core.records.proportion import allocate
from holdfast.core.records.sale import NAMELESS, Sale, SaleLine
from holdfast.core.records.tax import TaxShare, by_rate, less, resized
from holdfast.core.sales.shipment import Booked, booked_by_line, terms_of

EXEMPT = "exempt"
"""The name under which the nets of exempt sales are reported."""


def taxes_of(sale: Sale, lines: Sequence[SaleLine]) -> tuple[TaxShare, ...]:
    """The tax of a sale by rate: its lines' and its fees'."""
    if sale.tax_exempt is not None:
        return (TaxShare(EXEMPT, 0, sale.total, 0),)
    shares = [share for line in lines for share in line.tax_shares]
    shares += fee_taxes(sale, sale.tax_total - sum(line.tax for line in lines))
    return by_rate(shares)


def fee_taxes(sale: Sale, tax: int) -> tuple[TaxShare, ...]:
    """The tax of the fees by rate; what an older version kept is one amount for all fees."""
    kept = [share for fee in sale.fees if fee.taxes is not UNSET for share in fee.taxes]
    if kept or not tax:
        return by_rate(kept)
    taxed = [fee for fee in sale.fees if fee.rates]
    net = sum(fee.amount for fee in taxed)
    if len({fee.rates for fee in taxed}) == 1:
        return (TaxShare(taxed[0].rates[0].name, taxed[0].tax_rate, net, tax),)
    return (TaxShare(NAMELESS, 0, net, tax),)


def taxes_booked(sale: Sale, lines: Sequence[SaleLine]) -> tuple[TaxShare, ...]:
    """What the shipments of a sale have booked of each rate: of each line its proportion so far."""
    booked = booked_by_line(sale, terms_of(sale, list(lines)))
    if sale.tax_exempt is not None:
        return (TaxShare(EXEMPT, 0, sum(one.total for one in booked.values()), 0),)
    parts = [(line.tax_shares, booked.get(line.id, Booked())) for line in lines]
    return by_rate([share for shares, one in parts for share in resized(shares, one.tax, one.total - one.tax)])


def taxes_left(sale: Sale, lines: Sequence[SaleLine]) -> tuple[TaxShare, ...]:
    """What is to be booked of each rate for a sale that is done: all, less what its shipments have booked."""
    known = taxes_booked(sale, lines) if sale.posted_taxes is None else sale.posted_taxes
    return less(taxes_of(sale, lines), known if sale.posted else ())


def refundable_taxes(sale: Sale, lines: Sequence[SaleLine]) -> dict[str, tuple[TaxShare, ...]]:
    """What of each rate comes back with all units of a line: its own tax, and its share of the fees', by line id.

    A line bears of each fee's tax what it bears of the fees: its proportion of the lines' totals. What comes back of an
    exempt sale is reported as it was: without tax, fees among it.
    """
    if not lines:
        return {}
    weights = [max(line.total, 0) for line in lines]
    if sale.tax_exempt is not None:
        nets = allocate(sale.total, weights)
        return {line.id: (TaxShare(EXEMPT, 0, net, 0),) for line, net in zip(lines, nets, strict=True)}
    fees = fee_taxes(sale, sale.tax_total - sum(line.tax for line in lines))
    borne = [(fee, allocate(fee.tax, weights), allocate(fee.net, weights)) for fee in fees]
    found = {}
    for index, line in enumerate(lines):
        own = [TaxShare(fee.name, fee.rate, nets[index], taxes[index]) for fee, taxes, nets in borne]
        found[line.id] = by_rate([*line.tax_shares, *own])
    return found
