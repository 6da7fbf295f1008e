"""Tax by rate: what of the amounts of one sale is tax, at each of the rates of their tax classes.

    36.00, 34.00 and three of 14.00, 26 percent included     -> 23.12 rounded by line, 23.11 by total
    10, 10, 5 and 5 yen, 10 percent on top                   -> 4 by line, 3 by total
    100.00 with GST 5 percent and PST 7 percent on top       -> GST 5.00, PST 7.00, each on a net of 100.00

A class may have several rates; each of them is taken of the same net. Rounded by line, each amount has its own tax.
Rounded by total, a rate is taken once of all amounts that have it, and the amounts bear that by largest remainder.
Included tax is what is left of the gross when the rounded net of all its rates together is taken away; the rates
share it by largest remainder. It refuses to know where rates come from.

Amounts are minor units of 0 or more, rates 10**-6. See docs/how-to/sell.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from holdfast.core.records.number import RATE_WHOLE, from_minor, from_unit_cost
from holdfast.core.records.proportion import allocate, half_up

TaxRounding = Literal["line", "total"]


class Rate(msgspec.Struct, frozen=True, gc=False):
    """A rate of a tax class, with the name that a receipt prints."""

    name: str
    rate: int


class TaxShare(msgspec.Struct, frozen=True, gc=False):
    """What an amount bears of one rate: `tax` of `net`, in minor units."""

    name: str
    rate: int
    net: int
    tax: int


class Taxable(msgspec.Struct, frozen=True, gc=False):
    """An amount (after discounts) and the rates of its class; none: it is untaxed."""

    amount: int
    rates: tuple[Rate, ...] = ()


def tax_shares(taxables: Sequence[Taxable], *, included: bool, rounding: TaxRounding) -> list[tuple[TaxShare, ...]]:
    """For each amount its shares of each of its rates; `included`: the amounts have the tax in them."""
    if not any(one.rates for one in taxables):
        return [()] * len(taxables)
    if rounding == "line":
        return [shares for one in taxables for shares in _together([one], included=included)]
    return _together(taxables, included=included)


def _together(taxables: Sequence[Taxable], *, included: bool) -> list[tuple[TaxShare, ...]]:
    """The shares of amounts whose tax is rounded once a rate, over all of them."""
    borne = _included(taxables) if included else _on_top(taxables)
    shares = []
    for index, one in enumerate(taxables):
        taxes = [borne[rate, index] for rate in one.rates]
        net = one.amount - sum(taxes) if included else one.amount
        shares.append(
            tuple(TaxShare(rate.name, rate.rate, net, tax) for rate, tax in zip(one.rates, taxes, strict=True))
        )
    return shares


def _on_top(taxables: Sequence[Taxable]) -> dict[tuple[Rate, int], int]:
    """Tax on top of amounts, by rate and place: a rate is taken of the sum of all that have it."""
    places: dict[Rate, list[int]] = {}
    for index, one in enumerate(taxables):
        for rate in one.rates:
            places.setdefault(rate, []).append(index)
    borne = {}
    for rate, own in places.items():
        amounts = [taxables[index].amount for index in own]
        parts = allocate(half_up(sum(amounts) * rate.rate, RATE_WHOLE), amounts)
        borne.update({(rate, index): part for index, part in zip(own, parts, strict=True)})
    return borne


def _included(taxables: Sequence[Taxable]) -> dict[tuple[Rate, int], int]:
    """Tax in amounts, by rate and place: what has the same rates is one gross, whose rates share its tax."""
    places: dict[tuple[Rate, ...], list[int]] = {}
    for index, one in enumerate(taxables):
        if one.rates:
            places.setdefault(one.rates, []).append(index)
    borne = {}
    for rates, own in places.items():
        amounts = [taxables[index].amount for index in own]
        together = included_tax(sum(amounts), sum(rate.rate for rate in rates))
        for rate, tax in zip(rates, allocate(together, [rate.rate for rate in rates]), strict=True):
            parts = allocate(tax, amounts)
            borne.update({(rate, index): part for index, part in zip(own, parts, strict=True)})
    return borne


def included_tax(gross: int, rate: int) -> int:
    """The tax in minor units that is part of `gross`: what is left when the rounded net is taken away."""
    return gross - half_up(gross * RATE_WHOLE, RATE_WHOLE + rate)


def by_rate(shares: Sequence[TaxShare]) -> tuple[TaxShare, ...]:
    """The shares summed by name and rate, in the order in which the rates appear."""
    if not shares:
        return ()
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for share in shares:
        net, tax = sums.get((share.name, share.rate), (0, 0))
        sums[share.name, share.rate] = (net + share.net, tax + share.tax)
    return tuple(TaxShare(name, rate, net, tax) for (name, rate), (net, tax) in sums.items())


def resized(shares: Sequence[TaxShare], tax: int, net: int) -> tuple[TaxShare, ...]:
    """The same rates for an amount of `net` and `tax` altogether: the rates share the tax as they did."""
    if not shares:
        return ()
    taxes = allocate(tax, [share.tax for share in shares])
    return tuple(TaxShare(share.name, share.rate, net, part) for share, part in zip(shares, taxes, strict=True))


def part_of(shares: Sequence[TaxShare], tax: int, net: int, whole: int) -> tuple[TaxShare, ...]:
    """The same rates for a part of an amount: `tax` and `net` of it, of a net of `whole` altogether.

    Rates of other parts of the amount (its own, and a fee's) share the net as they did, with what has no rate; rates
    that are taken of one net have that of the part.
    """
    nets = [share.net for share in shares]
    if 0 < sum(nets) <= whole:
        parts = allocate(net, [*nets, whole - sum(nets)])[:-1]
    else:
        parts = [half_up(one * net, whole) if whole > 0 else net for one in nets]
    taxes = allocate(tax, [share.tax for share in shares])
    return tuple(TaxShare(share.name, share.rate, *both) for share, *both in zip(shares, parts, taxes, strict=True))


def less(shares: Sequence[TaxShare], given: Sequence[TaxShare]) -> tuple[TaxShare, ...]:
    """What is left of shares by rate when others were given before; a rate of which nothing is left is not there."""
    return tuple(share for share in by_rate([*shares, *negative(given)]) if share.net or share.tax)


def negative(shares: Sequence[TaxShare]) -> tuple[TaxShare, ...]:
    """The shares with the other sign: what is taken back."""
    return tuple(TaxShare(share.name, share.rate, -share.net, -share.tax) for share in shares)


RATE_PLACES = 2
"""Fewest decimal places of a rate as it goes outside: "0.15"."""


class TaxDocument(msgspec.Struct, frozen=True, gc=False):
    """Tax at one rate as the API shows it: `rate` "0.15" is 15 percent of `net`."""

    name: str
    rate: str
    net: str
    tax: str


def tax_documents(shares: Sequence[TaxShare], digits: int) -> list[TaxDocument]:
    """The public shape of tax by rate, its amounts in a currency of so many digits."""
    return [
        TaxDocument(
            share.name,
            from_unit_cost(share.rate, RATE_PLACES),
            from_minor(share.net, digits),
            from_minor(share.tax, digits),
        )
        for share in shares
    ]
