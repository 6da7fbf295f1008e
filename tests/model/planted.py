"""Bugs to plant into the core: each a small wrong edit, so that the state machine can be seen to find it.

    with planted("waiting is not served on release"):
        ...                                            # the product now has that bug

An edit names a function and replaces a piece of its source; a piece that is no longer there is an error, so a planted
bug never quietly stops being one. The function is compiled anew and put wherever the old one was imported.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import holdfast.core
from holdfast.core import decide


class Edit(NamedTuple):
    """In the core's function `name` (or `Class.name`), wherever it lives: `old` becomes `new`."""

    name: str
    old: str
    new: str


BUGS: dict[str, Edit | list[Edit]] = {
    "available forgets what is promised": Edit(
        "Level.available", "return self.on_hand - self.reserved", "return self.on_hand"
    ),
    "a group's members do not see each other": Edit(
        "_decide_group",
        "lambda _, member: _decide_or_undo(stock, caller, member)",
        "lambda index, member: (lambda mark, answer: (stock.undo(mark) if index + 1 < len(command.commands) else None, "
        "answer)[1])(stock.mark(), _decide_or_undo(stock, caller, member))",
    ),
    "waiting is not served on release": Edit(
        "release_units", "    serve_waiting(stock, level, stock.caller.actor)\n", ""
    ),
    "waiting is not served on arrival": Edit(
        "_bring_in", "        serve_waiting(stock, level, stock.caller.actor)\n", ""
    ),
    "newest is served first": Edit(
        "Reservation.turn",
        "self.priority, self.created_at, self.id",
        "self.priority, -self.created_at, self.id",
    ),
    "priority is ignored when serving": Edit(
        "Reservation.turn", "self.priority, self.created_at, self.id", "0, self.created_at, self.id"
    ),
    "only who waits at the level is served": Edit(
        "_queue", "for hold in stock.roaming(level.product_id)", "for hold in ()"
    ),
    "a hold of a given location moves": Edit(
        "make_direct_hold", "None if command.location is not None else anywhere(stock)", "anywhere(stock)"
    ),
    "a hold waits at the first place by code": Edit(
        "in_waiting_order", "if len({place.priority for place in places}) == len(places):", "if True:"
    ),
    "a hold that loses its units looks nowhere": Edit(
        "seek", "(hold for hold in holds if", "(hold for hold in holds[:0] if"
    ),
    "what a moved hold leaves behind serves nobody": Edit(
        "_move_if_better", "        freed.append(stock.level_of_id[hold.level_id])\n", "        pass\n"
    ),
    "a hold that is moved loses its place": Edit(
        "relocate",
        "        backordered=waits,\n",
        "        backordered=waits,\n        created_at=stock.now,\n",
    ),
    "an order that becomes a sale is held twice": Edit("adopt", "if not names:", "if True:"),
    "an adopted hold is not split": Edit("_adopt_for", "if over > 0:", "if False:"),
    "what an order does not ask for stays held": Edit("adopt", "hold.held_for == FOR_ORDER]", "False]"),
    "what left before the order came is sold again": Edit("_adopt_for", "hold.consumed > need:", "hold.consumed:"),
    "a cancelled order keeps its other holds": Edit(
        "release_rest", "    _release(stock, loose, reason)\n", "    pass\n"
    ),
    "a sale line moves whole": Edit("_serve_from", "elif hold.sale_line_id is not None:", "elif False:"),
    "who waits for a lot gets any": Edit(
        "_serve_here",
        "back(stock, level, product, hold.backordered, hold.lot_id)",
        "back(stock, level, product, hold.backordered)",
    ),
    "newest lot first instead of FIFO": Edit(
        "by_receipt",
        "(lots[at.lot_id].received_at, at.lot_id)",
        "(-lots[at.lot_id].received_at, at.lot_id)",
    ),
    "FEFO is ignored": Edit("removal_order", "expiring_first=product.track_expiry", "expiring_first=False"),
    "override needs no permission": Edit(
        "shortfall_allowed", "override and stock.caller.may_override and", "override and"
    ),
    "override ignores the organisation": Edit("shortfall_allowed", " and stock.settings.allow_override", ""),
    "preorders forget who waits already": Edit(
        "shortfall_allowed",
        "waiting + short <= product.preorder_limit",
        "short <= product.preorder_limit",
    ),
    "the best priority gives way": Edit(
        "_worst_first",
        "holds.sort(key=lambda hold: hold.turn,",
        "holds.sort(key=lambda hold: (-hold.priority, *hold.turn[1:]),",
    ),
    "the oldest gives way": Edit("_worst_first", "hold.turn,", "(hold.priority, -hold.created_at, hold.id),"),
    "pinned holds are not the first to lose their lot": Edit("vacate_lots", "if lost > 0:", "if False:"),
    "holds of a lost lot are not moved": Edit(
        "vacate_lots", " and _move_holds(stock, level, at, units - at.free, cause):", ":"
    ),
    "released units go back to the oldest lot": Edit(
        "release_units",
        "in reversed(held_in_order(stock, level, product, hold)):",
        "in held_in_order(stock, level, product, hold):",
    ),
    "the newest lot of a hold is sold first": Edit(
        "consume_units",
        "in held_in_order(stock, level, stock.product_of(level), hold):",
        "in reversed(held_in_order(stock, level, stock.product_of(level), hold)):",
    ),
    "value is rounded down": Edit(
        "share_of_value", "return divide_half_even(value * taken, on_hand)", "return value * taken // on_hand"
    ),
    "value is rounded half up": Edit(
        "divide_half_even", "(twice == denominator and quotient % 2)", "twice == denominator"
    ),
    "an expired hold may be sold": Edit(
        "_settle_level",
        'release_units(stock, hold, hold.open, "expired")',
        "stock.put_hold(__import__('msgspec').structs.replace(hold, expires_at=None))",
    ),
    "settling forgets expired holds when it has to ask": Edit(
        "_settle_level", "stock.expired_holds.get(level.id, ())", "stock.expired_holds.pop(level.id, ())"
    ),
    "a backordered part may be sold": Edit("consume", "units > hold.allocated", "units > hold.open"),
    "a sheet ignores the moves since it was opened": Edit(
        "_post_line", "line.counted + present - line.before", "line.counted"
    ),
    "a sheet counts from when it was opened": Edit(
        "_sheet_lines",
        "known[line.id] = line",
        "known[line.id] = replace(known.get(line.id, line), counted=line.counted, counted_at=line.counted_at)",
    ),
    "a second open sheet is allowed": Edit("_refuse_second_sheet", "if shared:", "if False:"),
    "amending up counts the hold's own units twice": Edit(
        "extend",
        "back(stock, level, product, units, hold.lot_id)",
        "back(stock, level, product, units - hold.allocated, hold.lot_id)",
    ),
    "amending down counts as released": Edit("shrink", "released=shrunk.released - units", "released=shrunk.released"),
    "a recalled lot stays recalled when it comes back": Edit(
        "release_from_quarantine",
        "lot = replace(lot, status=ACTIVE if lifted else PARTLY_RELEASED)",
        "lot = replace(lot, status=lot.status)",
    ),
    "a part that is released lifts the whole recall": Edit(
        "_lifts_the_recall", "return whole or not", "return True or not"
    ),
    "a correction meanwhile counts twice": Edit("correct_open_sheets", "if not corrections:", "if True:"),
    "a recalled lot is not diverted on arrival": Edit("_bring_in", "if lot.status != ACTIVE:", "if False:"),
    "a recall with nothing on the shelf is not saved": Edit(
        "UndoableSet.touched",
        "kept[item[1]] = first[item[1]]",
        "kept.update({item[1]: first[item[1]]} if self.entries or first is not self.lots else {})",
    ),
    "lots of another cost are joined": Edit(
        "joined_or_new_lot",
        "(lot.unit_cost, lot.expires_at, lot.expires_on) == (cost.unit_cost, ",
        "(0, lot.expires_at, lot.expires_on) == (0, ",
    ),
    "compare-and-set only compares with zero": Edit("set_stock", "expected != present", "expected == 0 != present"),
    "an order is reserved twice": Edit("order_reserve", "covered = _covered(holds)", "covered = _covered([])"),
    "a cancelled order works on old copies": Edit("release_units", "    hold = stock.reservations[hold.id]\n", ""),
    "an appointment forgets holds of its own batch": Edit(
        "change_appointment",
        "holds = stock.holds_of_target(appointment.id)",
        "holds = [hold for hold in stock.holds_of_target(appointment.id) if hold.id not in stock.new_ids]",
    ),
    "short arrivals keep the rest on the road": Edit("_bring_in", "    if part.lost:", "    if False:"),
    "what did not arrive is off the road": Edit(
        "_moved_on", "if not any(lot.on_the_road for lot in lots):", "if True:"
    ),
    "a transfer is sent back to where it was going": Edit(
        "send_back",
        "_leave_the_road(stock, parts, origin, cause)",
        "_leave_the_road(stock, parts, stock.catalog.locations[transfer.to_location_id], cause)",
    ),
    "a fact below the reserved is refused": Edit(
        "adjust_stock",
        "if present + units < 0:",
        "if present + units < (0 if level is None else level.reserved):",
    ),
}


MONEY_BUGS: dict[str, Edit | list[Edit]] = {
    "the first units bear what is left of an amount": Edit(
        "share_so_far",
        "share = -(-abs(amount) * units // total_units)",
        "share = abs(amount) // total_units * units + min(units, abs(amount) % total_units)",
    ),
    "a refund is rounded by itself": Edit(
        "LineRefunds.take",
        "units_left, units_back, refunded - given_then)",
        "units_left, units, 0)",
    ),
    "the tax of a refund is rounded by itself": Edit(
        "LineRefunds.take",
        "units_left, units_back, taxed - tax_then)",
        "units_left, units, 0)",
    ),
    "a refund keeps the tax of the fees": Edit("refundable_taxes", "[*line.tax_shares, *own]", "line.tax_shares"),
    "cash is rounded part by part": Edit("_by_request", "exact + carried", "exact"),
    "the revenue of a part is rounded by itself": Edit(
        "amounts_of",
        "share_still_due(of.total, of.units, reached, before.total)",
        "share_still_due(of.total, of.units, units, 0)",
    ),
    "the tax of a part is the whole line's": Edit(
        "amounts_of",
        "share_still_due(of.tax, of.units, reached, before.tax)",
        "share_still_due(of.tax, 1, 1, before.tax)",
    ),
    "what is left of a line is priced without its discount": Edit(
        "cut_line",
        "    net = total",
        "    total = max(total, half_up(line.unit_price * units, 10 ** product_of_line(stock, line).precision))\n"
        "    net = total",
    ),
    "a smaller line is a share of its last amount": Edit(
        "cut_line",
        "share_so_far(terms.total, terms.units, units)",
        "share_so_far(line.total, line.quantity, units)",
    ),
    "a shipment taken back leaves the others as they were": Edit(
        "without", "tuple(_evened(rest, more))", "tuple(rest)"
    ),
    "a shipment taken back leaves its fees booked": Edit(
        "_unbooked", "sale.posted - after.total, ", "before.total - after.total, "
    ),
    "a sale that is given up forgets its discount": Edit(
        "_cut_to_shipped", "cut_lines(stock, sale, {", "cut_lines(stock, replace(sale, discount=None), {"
    ),
    "the last part books the whole": Edit(
        "_ship",
        "sale = replace(sale, posted=sale.posted - total, posted_tax=sale.posted_tax - tax)",
        "sale = replace(sale, posted=0, posted_tax=0)",
    ),
    "a discount is spread over whole prices": Edit(
        "compute_receipt", "allocate(sale_less, weights)", "allocate(sale_less, grosses)"
    ),
    "a deposit that is too much stays": Edit("give_back", "if not over:", "if True:"),
    "the oldest deposit goes back first": Edit("give_back", "reversed(sale.payments)", "sale.payments"),
    "change comes out of a deposit": Edit("kept_with_sale", "    if left:", "    if False:"),
    "cash that pays off what is owed is no coin": Edit(
        "take_payment", "0 if sale.unfinished else tender.rounding - sale.rounding", "0"
    ),
    "what was set against what is owed is paid again": Edit("take_payment", "now.total - sale.settled", "now.total"),
    "a refund forgets what is owed": Edit("pay_back", "else min(exact, sale.owed)", "else 0"),
    "a corrected tender keeps its coin": Edit(
        "_by_method", 'amount - sale.rounding if payment.method == "cash" else amount', "amount"
    ),
    "a corrected tender leaves what is due as it was": Edit("correct_payment", "    if delta:", "    if False:"),
    "rates share an included tax evenly": Edit(
        "_included", "allocate(together, [rate.rate for rate in rates])", "allocate(together, [1 for rate in rates])"
    ),
    "the first rate bears the tax of a part": Edit(
        "resized",
        "allocate(tax, [share.tax for share in shares])",
        "allocate(tax, [int(share is shares[0]) for share in shares])",
    ),
    "the net that comes back is rounded by itself": Edit(
        "_net_back", "part(line.total) - part(line.tax) + part(share.net - own)", "part(share.net)"
    ),
    "a refund has the net of the whole fee": Edit("refundable_taxes", "nets[index]", "fee.net"),
}
"""Bugs in the money of sales: `sales_machine` looks for them."""

ALL = BUGS | MONEY_BUGS


def edits(name: str) -> list[Edit]:
    """The edits that make the bug."""
    bug = ALL[name]
    return bug if isinstance(bug, list) else [bug]


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The product has that bug while the block runs."""
    undo: list[tuple[Any, Any, Any]] = []
    try:
        for edit in edits(name):
            _plant(edit, undo)
        yield
    finally:
        for holder, key, original in reversed(undo):
            _put(holder, key, original)


def _put(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = value
    else:
        setattr(holder, key, value)


@cache
def _modules() -> list[ModuleType]:
    names = (found.name for found in pkgutil.walk_packages(holdfast.core.__path__, "holdfast.core."))
    return [importlib.import_module(name) for name in names]


def place_of(name: str) -> tuple[Any, str, ModuleType]:
    """What holds the function of an edit, under which name, and the module that it is written in."""
    first, _, rest = name.partition(".")
    homes = [module for module in _modules() if module.__name__ == getattr(vars(module).get(first), "__module__", "")]
    assert len(homes) == 1, f"{name} is in {[module.__name__ for module in homes]}"
    return (getattr(homes[0], first), rest, homes[0]) if rest else (homes[0], first, homes[0])


def _plant(edit: Edit, undo: list[tuple[Any, Any, Any]]) -> None:
    holder, name, home = place_of(edit.name)
    original = inspect.getattr_static(holder, name)
    function = original.fget if isinstance(original, property) else original
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(edit.old) >= 1, f"{edit.name} has no {edit.old!r} any more"
    changed = source.replace(edit.old, edit.new).removeprefix("@property\n")
    code = compile(changed, f"<planted {edit.name}>", "exec", flags=__future__.annotations.compiler_flag)
    names: dict[str, Any] = {}
    exec(code, vars(home), names)
    wrong: Any = names[name]
    if isinstance(original, property):
        wrong = property(wrong)
    undo.append((holder, name, original))
    setattr(holder, name, wrong)
    for module in [module for key, module in sys.modules.items() if key.startswith("holdfast.")]:
        for key, value in list(vars(module).items()):
            if value is original and module is not holder:
                undo.append((module, key, original))
                setattr(module, key, wrong)
    for command, decision in decide._DECISIONS.items():
        if decision is original:
            undo.append((decide._DECISIONS, command, original))
            decide._DECISIONS[command] = wrong
