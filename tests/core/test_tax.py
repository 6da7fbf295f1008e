"""Tax by rate: worked numbers, and what must hold for any amounts (docs/how-to/sell.md)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.records.number import RATE_WHOLE
from holdfast.core.records.tax import Rate, Taxable, TaxRounding, TaxShare, by_rate, tax_shares
from holdfast.core.records.totals import (
    Discount,
    Fee,
    PriceBreak,
    PricedLine,
    Receipt,
    Rules,
    compute_receipt,
    gross_of,
)

GST, PST = Rate("GST", 50_000), Rate("PST", 70_000)


def vat(percent: int) -> tuple[Rate, ...]:
    return (Rate("VAT", percent * 10_000),)


def taxed(amounts: list[int], rates: tuple[Rate, ...], *, included: bool, rounding: TaxRounding) -> int:
    """The tax of all amounts, which have the same rates."""
    shares = tax_shares([Taxable(amount, rates) for amount in amounts], included=included, rounding=rounding)
    return sum(share.tax for own in shares for share in own)


@pytest.mark.parametrize(
    ("amounts", "percent", "included", "by_line", "by_total"),
    [
        ([3600, 3400, 1400, 1400, 1400], 26, True, 2312, 2311),
        ([10, 10, 5, 5], 10, False, 4, 3),
        ([999], 20, False, 200, 200),
        ([0, 0], 20, False, 0, 0),
        ([1, 1, 1], 50, False, 3, 2),
    ],
)
def test_worked_numbers(amounts: list[int], percent: int, included: bool, by_line: int, by_total: int) -> None:
    """36.00, 34.00 and three of 14.00 at 26 percent included; 10, 10, 5, 5 yen at 10 percent on top."""
    assert taxed(amounts, vat(percent), included=included, rounding="line") == by_line
    assert taxed(amounts, vat(percent), included=included, rounding="total") == by_total


def test_two_rates_of_a_class_are_taken_of_the_same_net() -> None:
    [on_top] = tax_shares([Taxable(10_000, (GST, PST))], included=False, rounding="line")
    assert on_top == (TaxShare("GST", 50_000, 10_000, 500), TaxShare("PST", 70_000, 10_000, 700))
    [inside] = tax_shares([Taxable(11_200, (GST, PST))], included=True, rounding="line")
    assert inside == on_top


def test_a_rate_is_rounded_once_though_two_classes_have_it() -> None:
    """1.10 + 1.10 + 1.10 at 5 percent: 0.165 together, three times 0.055 alone."""
    goods = [Taxable(110, (GST,)), Taxable(110, (GST, PST)), Taxable(110, (GST,))]
    together = by_rate([share for own in tax_shares(goods, included=False, rounding="total") for share in own])
    alone = by_rate([share for own in tax_shares(goods, included=False, rounding="line") for share in own])
    assert [(share.name, share.net, share.tax) for share in together] == [("GST", 330, 17), ("PST", 110, 8)]
    assert [(share.name, share.net, share.tax) for share in alone] == [("GST", 330, 18), ("PST", 110, 8)]


RATES = st.lists(
    st.builds(Rate, st.sampled_from(["A", "B", "C"]), st.integers(0, 10**6)), max_size=3, unique_by=lambda one: one.name
).map(tuple)
TAXABLES = st.lists(st.builds(Taxable, st.integers(0, 10**9), RATES), max_size=8)


@given(TAXABLES, st.booleans(), st.sampled_from(["line", "total"]))
def test_every_share_is_its_rate_of_its_net_and_nothing_is_lost(
    taxables: list[Taxable], included: bool, rounding: TaxRounding
) -> None:
    """A rate comes to less than a minor unit from exact, over what is rounded together; amounts come to themselves."""
    shares = tax_shares(taxables, included=included, rounding=rounding)
    exact: dict[Rate, Fraction] = {}
    members: dict[Rate, int] = {}
    for one, own in zip(taxables, shares, strict=True):
        assert [(share.name, share.rate) for share in own] == [(rate.name, rate.rate) for rate in one.rates]
        assert all(share.tax >= 0 for share in own)
        tax = sum(share.tax for share in own)
        assert all(share.net == (one.amount - tax if included else one.amount) for share in own)
        whole = sum(rate.rate for rate in one.rates)
        for rate in one.rates:
            of = Fraction(one.amount * rate.rate, RATE_WHOLE + whole if included else RATE_WHOLE)
            exact[rate] = exact.get(rate, Fraction()) + of
            members[rate] = members.get(rate, 0) + 1
    found = {(share.name, share.rate): share.tax for share in by_rate([one for own in shares for one in own])}
    groups = len({one.rates for one in taxables})
    for rate, expected in exact.items():
        off = abs(found[rate.name, rate.rate] - expected)
        together = (groups if included else 1) if rounding == "total" else members[rate]
        assert off < 2 * together if included else off <= Fraction(together, 2), (rate, off)


def test_an_exempt_sale_has_no_tax_and_included_tax_is_taken_off() -> None:
    line, fee = PricedLine(1200, 1, 0, rates=vat(20)), Fee("Delivery", 600, vat(20))
    for inclusive, total in ((True, 1500), (False, 1800)):
        sold = compute_receipt([line], fees=[fee], rules=Rules(inclusive, 0, exempt=True))
        assert isinstance(sold, Receipt)
        assert (sold.total, sold.tax_total, sold.exempted) == (total, 0, 1800 - total)
        assert sold.lines[0].taxes == (TaxShare("VAT", 200_000, 1000 if inclusive else 1200, 0),)


def test_price_breaks() -> None:
    """Three for 10.00, ten for 30.00, one for 4.00; full groups first, the largest first."""
    breaks = (PriceBreak(3, 1000), PriceBreak(10, 3000))
    prices = {1: 400, 2: 800, 3: 1000, 4: 1400, 6: 2000, 9: 3000, 10: 3000, 13: 4000, 14: 4400, 20: 6000}
    assert {units: gross_of(PricedLine(400, units, 0, breaks=breaks)) for units in prices} == prices
    assert gross_of(PricedLine(400, 3_500, 3, breaks=breaks)) == 1200
    sold = compute_receipt([PricedLine(400, 4, 0, Discount(percent=500_000), breaks=breaks)], rules=Rules(False, 0))
    assert isinstance(sold, Receipt)
    assert (sold.subtotal, sold.discount_total, sold.total) == (1400, 700, 700)
