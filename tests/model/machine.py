"""A Hypothesis state machine about counts and promises: see `side_by_side`.

Every rule draws one command, gives it to both, and compares them. Time only passes by the rule `time_passes`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from holdfast.core.decide import CommandGroup, Refusal, Sweep
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.order_holds import (
    ConsumeAtLevel,
    OrderClose,
    OrderLine,
    OrderReserve,
    ReleaseAtLevel,
    ReserveAtLevel,
)
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import CancelSale
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, UnlistLevel
from holdfast.core.warehouse.count_sheet import CloseSheet, Count, CountLine, FillSheet, RemoveSheetLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine
from tests.model.naive import Caller, Naive, No, Product
from tests.model.side_by_side import PLACES, SHELVES, UNKNOWN, Both, SideBySide, often
from tests.shop import FOUNDED, SECOND

PRODUCTS = (
    Product("MUG"),
    Product("OIL", precision=2, oversell="backorder"),
    Product("BUN", oversell="preorder", limit=4, fefo=True),
    Product("SONG", unlimited=True),
)
STOCKED = ("MUG", "OIL", "BUN")

FOCUS = st.sampled_from((("MUG",), ("OIL",), ("BUN",), STOCKED))
"""What an example is about: where few things compete, more happens to each."""
UNITS = often(st.integers(1, 6), st.sampled_from((0, -1, None)))
"""Units of a command; None stands for a number that does not fit the precision."""
COSTS = st.sampled_from(("0", "1.00", "0.35", "0.333333", "2.005"))


class HoldfastAndNaive(SideBySide):
    """See the module."""

    products = PRODUCTS

    def __init__(self) -> None:
        super().__init__()
        self.sheet_ids: list[str] = []
        self.transfer_ids: list[str] = []
        self.appointment_ids: list[str] = []
        self.sale_ids: list[str] = []
        self.expiries = 0

    @initialize(
        simple=st.booleans(),
        allow_override=often(st.just(True), st.just(False), one_in=4),
        focus=FOCUS,
        shelves=st.sampled_from((("MAIN",), SHELVES)),
    )
    def open(self, simple: bool, allow_override: bool, focus: tuple[str, ...], shelves: tuple[str, ...]) -> None:
        self.skus, self.shelves = st.sampled_from(focus), st.sampled_from(shelves)
        settings = {"mode": "simple" if simple else "advanced", "allow_override": allow_override}
        self.open_both(Naive(PRODUCTS, PLACES, self.clock.now), **settings)
        self.naive.simple, self.naive.allow_override = simple, allow_override
        for place in SHELVES:
            self.bring(place, [(sku, 4 if sku == "MUG" else 3, 1_500_000, "A", None) for sku in STOCKED])
            self.bring(place, [(sku, 2, 333_333, None, FOUNDED + 60 * SECOND) for sku in ("MUG", "BUN")])

    # Names -----------------------------------------------------------------------------------------------------------

    def some_sku(self, data: st.DataObject) -> str:
        return data.draw(often(self.skus, st.sampled_from((*STOCKED, "SONG", "GHOST"))))

    def some_code(self, data: st.DataObject, *, shelf: bool = False) -> str:
        """A location; with `shelf` no quarantine."""
        others = ("TRANSIT", "NOWHERE", "EAST") if shelf else ("MAIN-QUARANTINE", "TRANSIT", "NOWHERE", "EAST")
        return data.draw(often(self.shelves, st.sampled_from(others)))

    def maybe_code(self, data: st.DataObject) -> str | None:
        return None if data.draw(st.integers(0, 2)) == 0 else self.some_code(data)

    def some_lines(self, data: st.DataObject, at_most: int) -> list[tuple[str, int | None]]:
        count = data.draw(st.integers(1, at_most))
        return [(self.some_sku(data), data.draw(UNITS)) for _ in range(count)]

    def some(self, data: st.DataObject, names: list[Any], *, unknown: int = 20) -> int:
        """One of so many things that exist, the newest first; seldom one that does not."""
        if not names or data.draw(st.integers(0, unknown)) == unknown:
            return -1
        return len(names) - 1 - data.draw(st.integers(0, min(len(names), 12) - 1))

    def some_hold(self, data: st.DataObject) -> int:
        """A hold, mostly an active one."""
        active = [hold.n for hold in self.naive.holds if hold.open and hold.target[0] != "line"]
        if active and data.draw(st.integers(0, 5)):
            return data.draw(st.sampled_from(active))
        n = self.some(data, self.naive.holds)
        return -1 if n >= 0 and self.naive.holds[n].target[0] == "line" else n  # its sale is told what becomes of those

    def some_lot(self, data: st.DataObject, sku: str | None = None, *, maybe: int = 4) -> int | None:
        """None mostly (`maybe` 0: never), else a lot, mostly one of the product."""
        if maybe and data.draw(st.integers(0, maybe)) < maybe:
            return None
        fitting = [lot.n for lot in self.naive.lots if sku in (None, lot.sku)]
        return data.draw(st.sampled_from(fitting)) if fitting and data.draw(st.integers(0, 9)) else self.some(data, [])

    def expiry(self, data: st.DataObject) -> int | None:
        """None mostly; else an instant, each its own, seldom in the past."""
        choice = data.draw(st.integers(0, 9))
        if choice < 6:
            return None
        return self.soon(data) if choice > 6 else self.naive.now - 1

    def soon(self, data: st.DataObject) -> int:
        """An instant that comes; each its own, so that there is an order in which they come."""
        self.expiries += 1
        return self.naive.now + data.draw(st.integers(1, 3)) * 40 * SECOND + self.expiries

    def actor(self, data: st.DataObject) -> str:
        return data.draw(often(st.just("manager"), st.sampled_from(("staff", "east")), one_in=5))

    # Commands that also go into groups -------------------------------------------------------------------------------

    def a_reserve(self, data: st.DataObject, caller: Caller) -> Both:
        sku, units = self.some_sku(data), data.draw(UNITS)
        place = self.maybe_code(data)
        lot, expires = self.some_lot(data, sku, maybe=6), self.expiry(data)
        priority, override = data.draw(st.sampled_from((100, 100, 10, 200))), data.draw(st.booleans())
        target, named = self.a_target(data)
        command = Reserve(
            sku, self.number(sku, units), place, named, self.lot_name(lot), expires, priority, override=override
        )
        return command, lambda naive: naive.reserve(caller, sku, units, place, target, lot, expires, priority, override)

    def a_target(self, data: st.DataObject) -> tuple[tuple[Any, ...], Target]:
        kind = data.draw(st.integers(0, 5))
        if kind == 0 and self.appointment_ids:
            n = self.some(data, self.appointment_ids)
            named = self.named(self.appointment_ids, n)
            return ("appointment", n), Target(reserved_for_type="appointment", reserved_for_id=named)
        if kind <= 2:
            return ("adhoc", None, "manual"), Target()
        order, source = data.draw(st.sampled_from("123")), data.draw(st.sampled_from(("manual", "shopify")))
        return ("order", order, source), Target(order, source)

    def an_amend(self, data: st.DataObject, caller: Caller) -> Both:
        n = self.some_hold(data)
        sku = self.naive.holds[n].sku if n >= 0 else "MUG"
        total = data.draw(st.one_of(st.just("same"), often(st.integers(1, 9), st.sampled_from((0, None)))))
        priority = data.draw(st.sampled_from((None, None, 10, 200)))
        change_expiry = data.draw(st.integers(0, 3)) == 0
        expires = self.expiry(data) if change_expiry else None
        place = self.some_code(data) if data.draw(st.integers(0, 3)) == 0 else None
        command = Amend(
            self.named(self.hold_ids, n),
            None if total == "same" else self.number(sku, total),
            priority,
            expires,
            set_expiry=change_expiry,
            location=place,
        )
        units = None if total == "same" else (-1 if total is None else total)
        expiry = (expires,) if change_expiry else None
        return command, lambda naive: naive.amend(caller, n, units, priority, expiry, place)

    def a_part(self, data: st.DataObject, kind: type[Consume] | type[Release], caller: Caller) -> Both:
        n = self.some_hold(data)
        sku = self.naive.holds[n].sku if n >= 0 else "MUG"
        asked = data.draw(st.one_of(st.none(), st.tuples(UNITS)))
        lot = None
        if n >= 0 and self.naive.holds[n].alloc and data.draw(st.integers(0, 4)) == 0:
            lot = data.draw(st.sampled_from(sorted(self.naive.holds[n].alloc)))
        command = kind(
            self.named(self.hold_ids, n),
            None if asked is None else self.number(sku, asked[0]),
            lot_id=self.lot_name(lot),
        )
        method = Naive.consume if kind is Consume else Naive.release
        return command, lambda naive: method(naive, caller, n, asked, lot)

    def at_level(self, data: st.DataObject, caller: Caller) -> Both:
        sku, units, place = self.some_sku(data), data.draw(UNITS), self.some_code(data)
        order = data.draw(st.sampled_from((None, None, "1", "2")))
        kind = data.draw(st.integers(0, 2))
        known = [hold for hold in self.naive.holds if hold.open and hold.target[0] in ("adhoc", "order")]
        if kind and known and data.draw(st.integers(0, 3)):
            hold = data.draw(st.sampled_from(known))
            sku, place, order = hold.sku, hold.place, hold.target[1]
            units = data.draw(st.one_of(st.just(hold.open), UNITS))
        if kind == 0:
            source = data.draw(st.sampled_from(("manual", "shopify")))
            command = ReserveAtLevel(sku, place, self.number(sku, units), order, source)
            return command, lambda naive: naive.reserve_at_level(caller, sku, place, units, order, source)
        wanted = data.draw(st.sampled_from((None, "manual", "shopify")))
        named, method = (
            (ReleaseAtLevel, Naive.release_at_level) if kind == 1 else (ConsumeAtLevel, Naive.consume_at_level)
        )
        return (
            named(sku, place, self.number(sku, units), order, wanted),
            lambda naive: method(naive, caller, sku, place, units, order, wanted),
        )

    def an_order(self, data: st.DataObject, caller: Caller) -> Both:
        order, source = data.draw(st.sampled_from("123456789")), data.draw(st.sampled_from(("manual", "shopify")))
        lines, place = self.some_lines(data, 3), self.maybe_code(data)
        named = tuple(OrderLine(sku, self.number(sku, units)) for sku, units in lines)
        return (
            OrderReserve(order, source, named, place),
            lambda naive: naive.order_reserve(caller, order, source, lines, place),
        )

    def a_closed_order(self, data: st.DataObject, caller: Caller) -> Both:
        order, source, consume = data.draw(st.sampled_from("123456")), "manual", data.draw(st.booleans())
        known = [hold.target for hold in self.naive.holds if hold.target[0] == "order"]
        if known and data.draw(st.integers(0, 5)):
            _, order, source = data.draw(st.sampled_from(known))
        lines = self.some_lines(data, 2) if data.draw(st.integers(0, 2)) == 0 else []
        named = tuple(OrderLine(sku, self.number(sku, units)) for sku, units in lines)
        return (
            OrderClose(order, source, consume, named),
            lambda naive: naive.order_close(caller, order, source, consume, lines),
        )

    def a_changed_appointment(self, data: st.DataObject, caller: Caller) -> Both:
        n, status = self.some(data, self.appointment_ids), data.draw(st.sampled_from(("completed", "cancelled")))
        command = ChangeAppointment(self.named(self.appointment_ids, n), status=status)
        return command, lambda naive: naive.change_appointment(caller, n, status)

    def member(self, data: st.DataObject, caller: Caller) -> Both:
        kind = data.draw(st.integers(0, 9))
        if kind <= 3:
            return self.a_reserve(data, caller)
        if kind == 4:
            return self.an_amend(data, caller)
        if kind <= 6:
            return self.a_part(data, Consume if kind == 5 else Release, caller)
        if kind == 7:
            return self.at_level(data, caller)
        if kind == 8 and self.appointment_ids:
            return self.a_changed_appointment(data, caller)
        return self.a_closed_order(data, caller)

    # Rules: holds ----------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def reserve(self, data: st.DataObject) -> None:
        actor = self.actor(data)
        self.both(actor, *self.a_reserve(data, self.actors[actor][1]))

    @rule(data=st.data(), holds=st.integers(2, 4))
    def compete(self, data: st.DataObject, holds: int) -> None:
        """Several want the same, one of them perhaps a certain lot."""
        sku, place = data.draw(self.skus), data.draw(self.shelves)
        for _ in range(holds):
            self.reserve_plainly(data, sku, place)

    @rule(data=st.data())
    def reserve_one(self, data: st.DataObject) -> None:
        self.reserve_plainly(data, data.draw(self.skus), data.draw(self.shelves))

    def reserve_plainly(self, data: st.DataObject, sku: str, place: str) -> None:
        """Nothing is wrong with these but that they compete."""
        units, priority = data.draw(st.integers(1, 5)), data.draw(st.sampled_from((100, 10, 200)))
        order, actor = data.draw(st.sampled_from("123")), data.draw(st.sampled_from(("manager", "manager", "staff")))
        caller = self.actors[actor][1]
        here = self.naive.lots_at(sku, place)
        lot = data.draw(st.sampled_from(here)) if here and data.draw(st.integers(0, 2)) == 0 else None
        expires = self.soon(data) if data.draw(st.integers(0, 3)) == 0 else None
        self.both(
            actor,
            Reserve(
                sku, self.number(sku, units), place, Target(order), self.lot_name(lot), expires, priority, override=True
            ),
            lambda naive: naive.reserve(
                caller, sku, units, place, ("order", order, "manual"), lot, expires, priority, True
            ),
        )

    @precondition(lambda self: any(hold.held > 1 for hold in self.naive.holds))
    @rule(data=st.data())
    def sell_a_part(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from([hold for hold in self.naive.holds if hold.held > 1]))
        asked = (data.draw(st.integers(1, hold.held - 1)),)
        command = Consume(self.hold_ids[hold.n], self.number(hold.sku, asked[0]))
        self.both("staff", command, lambda naive: naive.consume(Caller(), hold.n, asked))

    def receive_plainly(self, data: st.DataObject, units: int) -> None:
        self.bring(data.draw(self.shelves), [(data.draw(self.skus), units, 2_005_000, None, None)])

    @precondition(lambda self: self.naive.holds)
    @rule(data=st.data())
    def amend(self, data: st.DataObject) -> None:
        actor = self.actor(data)
        self.both(actor, *self.an_amend(data, self.actors[actor][1]))

    @precondition(lambda self: self.naive.holds)
    @rule(data=st.data(), kind=st.sampled_from((Consume, Release)))
    def part(self, data: st.DataObject, kind: Any) -> None:
        actor = self.actor(data)
        self.both(actor, *self.a_part(data, kind, self.actors[actor][1]))

    @rule(data=st.data(), atomic=st.booleans())
    def together(self, data: st.DataObject, atomic: bool) -> None:
        """A group: all or nothing, or each on its own."""
        actor = self.actor(data)
        pairs = [self.member(data, self.actors[actor][1]) for _ in range(data.draw(st.integers(2, 4)))]

        def naive(model: Naive) -> list[Any]:
            answers: list[Any] = []
            for _, member in pairs:
                try:
                    answers.append(model.attempt(member))
                except No as no:
                    answers.append(no)
            refused = [answer for answer in answers if isinstance(answer, No)]
            if refused and atomic:
                raise No(refused[0].code)
            return answers

        answer, expected = self.both(actor, CommandGroup(tuple(command for command, _ in pairs), atomic), naive)
        if isinstance(expected, list):
            for (command, _), one, other in zip(pairs, answer, expected, strict=True):
                self.agree(command, one.rejected if isinstance(one, Refusal) else one, other)

    @rule(data=st.data())
    def burst(self, data: st.DataObject) -> None:
        """Commands that do not wait for each other: however they fall into batches, they are done in order."""
        pairs = [self.member(data, Caller()) for _ in range(data.draw(st.integers(2, 6)))]
        note(f"burst: {[command for command, _ in pairs]}")
        self.tick()
        futures = [self.shop.holdfast.submit(self.shop.manager, command) for command, _ in pairs]
        for (command, member), future in zip(pairs, futures, strict=True):
            try:
                expected = self.naive.attempt(member)
            except No as no:
                expected = no
            self.agree(command, future.result().answer, expected)
        self.compare()

    @rule(data=st.data(), kind=st.sampled_from(("level", "order", "order")))
    def by_name(self, data: st.DataObject, kind: str) -> None:
        """Holds found by what they are for."""
        actor = self.actor(data)
        caller = self.actors[actor][1]
        if kind == "level":
            self.both(actor, *self.at_level(data, caller))
        elif data.draw(st.booleans()):
            self.both(actor, *self.an_order(data, caller))
        else:
            self.both(actor, *self.a_closed_order(data, caller))

    @rule(data=st.data(), kind=st.integers(0, 5))
    def order_of_a_channel(self, data: st.DataObject, kind: int) -> None:
        """An order whose number holds may have been made for before: reserved, taken as a sale, ended."""
        order, source = data.draw(st.sampled_from("78")), data.draw(st.sampled_from(("manual", "shopify")))
        lines = self.some_lines(data, 3)
        if kind == 0:
            named = tuple(OrderLine(sku, self.number(sku, units)) for sku, units in lines)
            place = data.draw(st.sampled_from((None, "MAIN", "EAST")))
            command = OrderReserve(order, source, named, place)
            self.both("manager", command, lambda naive: naive.order_reserve(Caller(), order, source, lines, place))
        elif kind == 1:
            consume = data.draw(st.booleans())
            part = lines if data.draw(st.booleans()) else []
            named = tuple(OrderLine(sku, self.number(sku, units)) for sku, units in part)
            command = OrderClose(order, source, consume, named)
            self.both("manager", command, lambda naive: naive.order_close(Caller(), order, source, consume, part))
        elif kind <= 3:
            asked = tuple(LineRequest(sku, self.number(sku, units)) for sku, units in lines)
            opened = OpenSale(source=source, order_number=order, lines=asked, fact=True)
            answer, expected = self.both(
                "manager", opened, lambda naive: naive.open_sale(Caller(), order, source, lines)
            )
            if not isinstance(expected, No):
                self.sale_ids.append(answer.id)
        else:
            n = self.some(data, self.sale_ids, unknown=8)
            name = self.named(self.sale_ids, n)
            if kind == 4:
                self.both("manager", CompleteSale(name), lambda naive: naive.complete_sale(Caller(), n))
            else:
                self.both("manager", CancelSale(name), lambda naive: naive.cancel_sale(n))

    @precondition(lambda self: len(self.sale_ids) < 6)
    @rule(data=st.data(), ships=st.integers(0, 2), ends=st.integers(0, 3))
    def an_order_from_first_to_last(self, data: st.DataObject, ships: int, ends: int) -> None:
        """Reserved by its number, perhaps partly sent, taken as a sale of other lines, and ended."""
        order, source = f"W{len(self.hold_ids)}", "shopify"
        kinds = st.sampled_from(STOCKED)
        held = [(data.draw(kinds), data.draw(st.integers(1, 3))) for _ in range(data.draw(st.integers(1, 3)))]
        lines: list[tuple[str, int | None]] = [*held, (data.draw(kinds), data.draw(st.integers(1, 3)))]
        lines = lines[data.draw(st.integers(0, 1)) : data.draw(st.integers(2, 4))]

        def named(wanted: Any) -> tuple[OrderLine, ...]:
            return tuple(OrderLine(sku, self.number(sku, units)) for sku, units in wanted)

        self.both(
            "manager",
            OrderReserve(order, source, named(held)),
            lambda naive: naive.order_reserve(Caller(), order, source, held, None),
        )
        if ships:
            part: list[tuple[str, int | None]] = [(held[0][0], 1)] if ships == 1 else []
            command = OrderClose(order, source, True, named(part))
            self.both("manager", command, lambda naive: naive.order_close(Caller(), order, source, True, part))
        asked = tuple(LineRequest(sku, self.number(sku, units)) for sku, units in lines)
        opened = OpenSale(source=source, order_number=order, lines=asked, fact=True)
        answer, _ = self.both("manager", opened, lambda naive: naive.open_sale(Caller(), order, source, lines))
        self.sale_ids.append(answer.id)
        n = len(self.sale_ids) - 1
        if ends == 1:
            self.both("manager", CancelSale(answer.id), lambda naive: naive.cancel_sale(n))
        elif ends == 2:
            self.both("manager", CompleteSale(answer.id), lambda naive: naive.complete_sale(Caller(), n))

    def book(self) -> None:
        answer, _ = self.both("staff", Book(self.naive.now), lambda naive: naive.book())
        self.appointment_ids.append(answer.id)

    # Rules: facts ----------------------------------------------------------------------------------------------------

    @rule(data=st.data(), plainly=st.booleans())
    def goods(self, data: st.DataObject, plainly: bool) -> None:
        if plainly:
            self.receive_plainly(data, data.draw(st.integers(1, 6)))
        else:
            self.receive(data)

    @rule(data=st.data(), kind=st.integers(0, 2))
    def fact(self, data: st.DataObject, kind: int) -> None:
        if kind == 0:
            self.set_stock(data)
        elif kind == 1:
            self.adjust_stock(data)
        else:
            self.count(data, data.draw(st.booleans()))

    @rule(data=st.data(), plainly=st.booleans())
    def road(self, data: st.DataObject, plainly: bool) -> None:
        """Send, receive what is on the road, or send it back."""
        on_the_road = any(shipment.status == "shipped" for shipment in self.naive.shipments)
        if on_the_road and plainly and data.draw(st.booleans()):
            self.arrive_whole(data)
        elif on_the_road or (self.transfer_ids and data.draw(st.booleans())):
            self.leave_the_road(data, data.draw(st.integers(0, 4)))
        elif plainly:
            self.send_what_is_free(data)
        else:
            self.dispatch(data)

    @rule(data=st.data(), kind=st.integers(0, 7))
    def sheet(self, data: st.DataObject, kind: int) -> None:
        if not self.sheet_ids or kind <= 2:
            self.open_sheet(data, data.draw(st.integers(0, 9)))
        elif kind == 3:
            self.fill_sheet(data)
        elif kind == 4:
            self.count_over_the_day(data)
        elif kind == 5:
            self.remove_sheet_line(data)
        else:
            self.close_sheet(data, data.draw(often(st.just(True), st.just(False), one_in=3)))

    @rule(data=st.data(), kind=st.integers(0, 4))
    def odds_and_ends(self, data: st.DataObject, kind: int) -> None:
        if kind == 0:
            self.sweep()
        elif kind == 1:
            self.unlist_level(data)
        elif kind == 2 or not self.appointment_ids:
            self.book()
        else:
            self.both("staff", *self.a_changed_appointment(data, Caller()))

    def receive(self, data: st.DataObject) -> None:
        actor, place = self.actor(data), self.some_code(data, shelf=True)
        caller = self.actors[actor][1]
        lines, named = [], []
        for _ in range(data.draw(st.integers(1, 2))):
            sku, units = self.some_sku(data), data.draw(UNITS)
            cost = data.draw(often(COSTS, st.sampled_from(("-1.00", "0.1234567"))))
            code = data.draw(st.sampled_from((None, "A", "B")))
            expires = None
            if data.draw(st.booleans()):
                expires = FOUNDED + ((self.naive.now - FOUNDED) // (60 * SECOND) + data.draw(st.integers(1, 3))) * (
                    60 * SECOND
                )
            scaled = int(Decimal(cost) * 10**6) if cost != "0.1234567" else None
            lines.append((sku, units, scaled, code, expires))
            named.append(ReceiptLine(sku, self.number(sku, units), cost, None, code, expires))
        command = Receive(place, tuple(named))
        answer, expected = self.both(actor, command, lambda naive: naive.receive(caller, place, lines))
        if not isinstance(expected, No):
            assert [self.lot_number[line.lot_id] for line in answer.lines] == expected
            assert [self.hold_number[name] for name in answer.served] == self.served

    def set_stock(self, data: st.DataObject) -> None:
        actor, sku, place = self.actor(data), self.some_sku(data), self.some_code(data, shelf=True)
        caller = self.actors[actor][1]
        units = data.draw(often(st.integers(0, 12), st.sampled_from((-1, None))))
        expected = None
        if data.draw(st.integers(0, 2)) == 0:
            present = self.naive.on_hand(sku, place)
            expected = (data.draw(st.sampled_from((present, present, present + 1))),)
        self.both(
            actor,
            SetStock(sku, place, self.number(sku, units), None if expected is None else self.number(sku, expected[0])),
            lambda naive: naive.set_stock(caller, sku, place, units, expected),
        )

    def adjust_stock(self, data: st.DataObject) -> None:
        actor, sku, place = self.actor(data), self.some_sku(data), self.some_code(data, shelf=True)
        caller = self.actors[actor][1]
        units = data.draw(often(st.sampled_from((-5, -3, -2, -1, 1, 2, 4)), st.sampled_from((0, None))))
        cost = data.draw(st.one_of(st.none(), COSTS))
        scaled = None if cost is None else int(Decimal(cost) * 10**6)
        self.both(
            actor,
            AdjustStock(sku, place, self.number(sku, units), "drawn", cost),
            lambda naive: naive.adjust_stock(caller, sku, place, units, scaled),
        )

    def unlist_level(self, data: st.DataObject) -> None:
        sku, place = self.some_sku(data), self.some_code(data, shelf=True)
        empty = [level for level, listed in self.naive.listed.items() if listed and not self.naive.on_hand(*level)]
        if empty and data.draw(st.integers(0, 3)):
            sku, place = data.draw(st.sampled_from(empty))
        self.tick()
        self.compare()  # the real one settles the levels that it touches; what is due elsewhere may come here
        self.both("staff", UnlistLevel(sku, place), lambda naive: naive.unlist_level(Caller(), sku, place))

    def count_lines(self, data: st.DataObject, *, draft: bool) -> tuple[list[Any], tuple[CountLine, ...]]:
        lines, named = [], []
        for _ in range(data.draw(st.integers(1, 3))):
            sku = self.some_sku(data)
            lot = self.some_lot(data, sku, maybe=1) if sku in STOCKED else None
            counted = data.draw(often(st.integers(0, 8), st.sampled_from((-1, None))))
            uncounted = counted is None
            lines.append((sku, counted, lot))
            named.append(CountLine(sku, None if uncounted else self.number(sku, counted), self.lot_name(lot)))
        return lines, tuple(named)

    def count(self, data: st.DataObject, draft: bool) -> None:
        actor, place = self.actor(data), self.some_code(data, shelf=True)
        caller = self.actors[actor][1]
        lines, named = self.count_lines(data, draft=draft)
        command = Count(place, named, draft)
        answer, expected = self.both(actor, command, lambda naive: naive.count(caller, place, lines, draft))
        if isinstance(expected, No):
            return
        if draft:
            self.sheet_ids.append(answer.id)
        else:
            shorted = {self.hold_number[name] for line in answer.lines for name in line.shorted}
            assert shorted == self.shorted, (shorted, self.shorted)

    @rule(data=st.data())
    def count_one_lot(self, data: st.DataObject) -> None:
        """Fewer than there were: holds of the lot move or lose."""
        place = data.draw(self.shelves)
        lots = [lot for sku in STOCKED for lot in self.naive.lots_at(sku, place)]
        if not lots:
            return
        pinned = [hold.pinned for hold in self.naive.holds if hold.place == place and hold.pinned in hold.alloc]
        lot = data.draw(st.sampled_from(pinned if pinned and data.draw(st.booleans()) else lots))
        sku, counted = self.naive.lots[lot].sku, data.draw(st.integers(0, self.naive.pile(lot, place).units))
        command = Count(place, (CountLine(sku, self.number(sku, counted), self.lot_name(lot)),))
        answer, _ = self.both(
            "staff", command, lambda naive: naive.count(Caller(), place, [(sku, counted, lot)], draft=False)
        )
        assert {self.hold_number[name] for name in answer.lines[0].shorted} == self.shorted

    def open_sheet(self, data: st.DataObject, counted: int) -> None:
        """A sheet that could be posted."""
        sku, place = data.draw(self.skus), data.draw(self.shelves)
        command = Count(place, (CountLine(sku, self.number(sku, counted)),), draft=True)
        answer, expected = self.both(
            "staff", command, lambda naive: naive.count(Caller(), place, [(sku, counted, None)], draft=True)
        )
        if not isinstance(expected, No):
            self.sheet_ids.append(answer.id)

    def count_over_the_day(self, data: st.DataObject) -> None:
        """A line waits for its number while units come; then it is written, and posted."""
        sku, place = data.draw(self.skus), data.draw(self.shelves)
        came, counted = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 9))
        opening = Count(place, (CountLine(sku),), draft=True)
        answer, expected = self.both(
            "staff", opening, lambda naive: naive.count(Caller(), place, [(sku, None, None)], draft=True)
        )
        if isinstance(expected, No):
            return
        self.sheet_ids.append(answer.id)
        n = len(self.sheet_ids) - 1
        self.both(
            "staff",
            AdjustStock(sku, place, self.number(sku, came)),
            lambda naive: naive.adjust_stock(Caller(), sku, place, came, None),
        )
        filling = FillSheet(answer.id, (CountLine(sku, self.number(sku, counted)),))
        self.both("staff", filling, lambda naive: naive.fill_sheet(Caller(), n, [(sku, counted, None)]))
        self.both("staff", CloseSheet(answer.id, post=True), lambda naive: naive.close_sheet(Caller(), n, True))

    def fill_sheet(self, data: st.DataObject) -> None:
        n = self.some(data, self.sheet_ids)
        drafts = [number for number, sheet in enumerate(self.naive.sheets) if sheet.status == "draft"]
        if drafts and data.draw(st.integers(0, 3)):
            n = data.draw(st.sampled_from(drafts))
        if n >= 0 and self.naive.sheets[n].status != "draft":
            lines: Any = [("MUG", 1, None)]
            named: tuple[CountLine, ...] = (CountLine("MUG", 1),)
        else:
            lines, named = self.count_lines(data, draft=True)
        command = FillSheet(self.named(self.sheet_ids, n), named)
        self.both("staff", command, lambda naive: naive.fill_sheet(Caller(), n, lines))

    def close_sheet(self, data: st.DataObject, post: bool) -> None:
        n = self.some(data, self.sheet_ids)
        skip = data.draw(st.booleans())
        command = CloseSheet(self.named(self.sheet_ids, n), post, "skip" if skip else "refuse")
        self.both("staff", command, lambda naive: naive.close_sheet(Caller(), n, post, skip))

    def remove_sheet_line(self, data: st.DataObject) -> None:
        n = self.some(data, self.sheet_ids)
        lines = self.naive.sheets[n].lines if n >= 0 else []
        index = data.draw(st.integers(-1, len(lines) - 1))
        name = UNKNOWN
        if index >= 0:
            line = lines[index]
            name = self.product_ids[line.sku] if line.lot is None else self.lot_ids[line.lot]
        command = RemoveSheetLine(self.named(self.sheet_ids, n), name)
        self.both("staff", command, lambda naive: naive.remove_sheet_line(Caller(), n, index))

    def dispatch(self, data: st.DataObject) -> None:
        actor = self.actor(data)
        caller = self.actors[actor][1]
        origin, destination = data.draw(
            often(
                st.sampled_from((("MAIN", "EAST"), ("EAST", "MAIN"))),
                st.sampled_from((("MAIN", "MAIN"), ("MAIN", "TRANSIT"), ("NOWHERE", "MAIN"))),
            )
        )
        lines = []
        for _ in range(data.draw(st.integers(1, 2))):
            sku = self.some_sku(data)
            lines.append((sku, data.draw(UNITS), self.some_lot(data, sku) if sku in STOCKED else None))
        named = tuple(TransferLine(sku, self.number(sku, units), self.lot_name(lot)) for sku, units, lot in lines)
        answer, expected = self.both(
            actor,
            Dispatch(origin, destination, named),
            lambda naive: naive.dispatch(caller, origin, destination, lines),
        )
        if not isinstance(expected, No):
            self.transfer_ids.append(answer.id)

    def send_what_is_free(self, data: st.DataObject) -> None:
        """Enough of these that something is on the road."""
        origin, destination = data.draw(st.sampled_from((("MAIN", "EAST"), ("EAST", "MAIN"))))
        sku = data.draw(self.skus)
        free = self.naive.available(sku, origin)
        if not free:
            return
        lines = [(sku, data.draw(st.integers(1, min(free, 4))), None)]
        named = (TransferLine(sku, self.number(sku, lines[0][1])),)
        answer, expected = self.both(
            "manager",
            Dispatch(origin, destination, named),
            lambda naive: naive.dispatch(Caller(), origin, destination, lines),
        )
        if not isinstance(expected, No):
            self.transfer_ids.append(answer.id)

    def arrive_whole(self, data: st.DataObject) -> None:
        on_the_road = [n for n, shipment in enumerate(self.naive.shipments) if shipment.status == "shipped"]
        n = data.draw(st.sampled_from(on_the_road))
        self.both(
            "manager",
            ReceiveTransfer(self.transfer_ids[n]),
            lambda naive: naive.receive_transfer(Caller(), n, None, False),
        )

    def leave_the_road(self, data: st.DataObject, how: int) -> None:
        """Units arrive (`how` 0 to 2; 0: what is left is written off) or are sent back (3, 4)."""
        actor = self.actor(data)
        caller = self.actors[actor][1]
        on_the_road = [n for n, shipment in enumerate(self.naive.shipments) if shipment.status == "shipped"]
        n = data.draw(st.sampled_from(on_the_road)) if on_the_road else self.some(data, self.transfer_ids)
        if data.draw(st.integers(0, 9)) == 0:
            n = self.some(data, self.transfer_ids)
        lines: list[Any] | None = None
        if n >= 0 and data.draw(st.booleans()):
            lines = []
            for sku, lot, units in self.naive.shipments[n].lots:
                came = data.draw(often(st.integers(0, units), st.sampled_from((units + 1, -1))))
                lost = 0 if how >= 3 else data.draw(often(st.just(0), st.integers(-1, 1), one_in=4))
                lines.append((sku, came, lot, lost))
        named = None
        if lines is not None:
            named = tuple(
                TransferLine(sku, self.number(sku, units), self.lot_name(lot), self.number(sku, lost))
                for sku, units, lot, lost in lines
            )
        name = self.named(self.transfer_ids, n)
        if how >= 3:
            self.both(actor, SendBack(name, named), lambda naive: naive.send_back(caller, n, lines))
        else:
            short = how == 0
            self.both(
                actor,
                ReceiveTransfer(name, named, short),
                lambda naive: naive.receive_transfer(caller, n, lines, short),
            )

    @rule(data=st.data())
    def quarantine(self, data: st.DataObject) -> None:
        on_the_road = [lot for (lot, place), pile in self.naive.piles.items() if pile.units and place == "TRANSIT"]
        if on_the_road and data.draw(st.booleans()):
            n = data.draw(st.sampled_from(on_the_road))
        else:
            n = self.some_lot(data, maybe=0) or 0
        command = Quarantine(self.lot_name(n) or UNKNOWN, "recall")
        self.both("manager", command, lambda naive: naive.quarantine(Caller(), n))

    @rule(data=st.data(), kind=st.sampled_from((ReleaseFromQuarantine, WriteOff)))
    def recalled(self, data: st.DataObject, kind: Any) -> None:
        """Bring a lot's units back, or write them off: mostly of lots that lie in quarantine."""
        aside = [lot for (lot, place), pile in self.naive.piles.items() if pile.units and "QUARANTINE" in place]
        n = (
            data.draw(st.sampled_from(aside))
            if aside and data.draw(st.integers(0, 5))
            else self.some_lot(data, maybe=0)
        )
        assert n is not None
        place = data.draw(st.one_of(st.none(), st.none(), st.sampled_from((*SHELVES, "MAIN-QUARANTINE", "NOWHERE"))))
        asked = data.draw(st.one_of(st.none(), st.tuples(UNITS)))
        sku = self.naive.lots[n].sku if n >= 0 else "MUG"
        command = kind(self.lot_name(n), place, None if asked is None else self.number(sku, asked[0]), "drawn")
        method = Naive.release_from_quarantine if kind is ReleaseFromQuarantine else Naive.write_off
        self.both("manager", command, lambda naive: method(naive, Caller(), n, place, asked))

    # Rules: time -----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((1, 20, 45, 70)))
    def time_passes(self, seconds: int) -> None:
        """Nothing is settled by it: the next command does that."""
        self.naive.now = self.clock.pass_(seconds * SECOND)

    def sweep(self) -> None:
        pairs = tuple((self.product_ids[sku], self.place_ids[code]) for sku in STOCKED for code in SHELVES)
        self.both("staff", Sweep(pairs), lambda naive: None)
