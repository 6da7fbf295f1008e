"""Proportions of whole numbers: rounding, spreading over weights, and the share of the first of so many units.

    half_up(5, 2), cash_rounded(1098, 5)     -> 3, 1100
    allocate(100, [1, 1, 1])                 -> [34, 33, 33]
    share_so_far(1000, 3, 2)                 -> 667: two of three pieces for 10.00 are 6.67

All of it in minor units and smallest units, exact: nothing is lost, and the parts of a whole come to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence


def half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, halves away from zero; the denominator is positive."""
    if denominator <= 0:
        raise ValueError(f"The denominator {denominator} is not positive.")
    if numerator < 0:
        return -((denominator - 2 * numerator) // (2 * denominator))
    return (denominator + 2 * numerator) // (2 * denominator)


def cash_rounded(amount: int, step: int) -> int:
    """The multiple of `step` (minor units, 0: none) nearest to `amount`, halves away from zero."""
    return amount if step == 0 else half_up(amount, step) * step


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` spread in proportion to `weights` by largest remainder, ties to the earlier; sums to it exactly.

    Weights are 0 or more; when all are zero they count as equal. A negative amount is spread as its mirror image.
    """
    if not weights:
        if amount:
            raise ValueError(f"There is nothing to spread {amount} over.")
        return []
    if min(weights) < 0:
        raise ValueError("A weight is negative.")
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    shares, remainders = [], []
    for weight in weights:
        share, remainder = divmod(abs(amount) * weight, whole)
        shares.append(share)
        remainders.append(remainder)
    left = abs(amount) - sum(shares)
    if left:
        for index in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[:left]:  # stable in reverse
            shares[index] += 1
    return shares if amount >= 0 else [-share for share in shares]


def share_so_far(amount: int, total_units: int, units: int) -> int:
    """What the first `units` of `total_units` bear of an `amount` (minor units): their proportion, rounded away from 0.

    It never differs from `amount * units / total_units` by a minor unit or more, and all units bear the amount:
    10.00 over three pieces are 3.34, 6.67, 10.00, and of 60.00 for 2,500 g the first 1,000 g bear 24.00.
    """
    if not 0 <= units <= total_units:
        raise ValueError(f"{units} units are not among {total_units}.")
    if total_units == 0:
        if amount:
            raise ValueError(f"There are no units to spread {amount} over.")
        return 0
    share = -(-abs(amount) * units // total_units)
    return share if amount >= 0 else -share


def units_share(amount: int, total_units: int, start: int, units: int) -> int:
    """What units `start` to `start + units` of `total_units` bear of an `amount`: the difference of `share_so_far`.

    Consecutive ranges from 0 to the end sum to the amount.
    """
    if start < 0 or units < 0 or start + units > total_units:
        raise ValueError(f"Units {start} to {start + units} are not among {total_units}.")
    return share_so_far(amount, total_units, start + units) - share_so_far(amount, total_units, start)


def share_still_due(amount: int, total_units: int, units: int, given: int) -> int:
    """What is to be given when `units` of `total_units` are reached and `given` (minor units) was given before.

    It is 0 where more was given than is due by then, as older versions did, whose shares were not in proportion: what
    was given stays, and the rest follows. Amounts are 0 or more.
    """
    return max(0, share_so_far(amount, total_units, units) - given)


def share_of_older_versions(amount: int, total_units: int, start: int, units: int) -> int:
    """What older versions gave for units `start` to `start + units`: only to know what they gave, nothing new is given
    by it. Each smallest unit bore the same, and the first `amount % total_units` of them one more."""
    each, more = divmod(abs(amount), total_units or 1)
    share = each * units + min(start + units, more) - min(start, more)
    return share if amount >= 0 else -share
