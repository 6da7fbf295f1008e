"""decide: stock as it stands + a command + its caller -> an answer, or a refusal that leaves the stock as it was.

The one door to the business. `DECISIONS` is the closed list of all commands. `needs` guesses what a
command will look at, so that it can be loaded and locked at once. A decision asks for what the guess lacks (`Missing`).
Decisions run one after another on the same Stock, each seeing what the ones before it did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from holdfast.core.organisation import (
    bookkeeping,
    imports,
    key_pool,
    keys,
    periods,
    places,
    products,
    settings,
    sign_in,
    users,
    views,
)
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.command import ALL_STORES, Command, CommandGroup, Decision
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, Rejected, group_refused, malformed
from holdfast.core.records.stock import Reservation
from holdfast.core.records.wants import (
    Crowded,
    HoldById,
    HoldsOfOrder,
    LevelAt,
    PlacesOfTaken,
    ProductNamed,
    RecordById,
    SaleById,
    SaleOfOrder,
    SessionById,
    Want,
)
from holdfast.core.reservations import amend, appointments, order_holds, reserve
from holdfast.core.sales import (
    cart,
    checkout,
    completion,
    correction,
    order_entry,
    order_import,
    payments,
    register,
    returns,
    whole_order,
)
from holdfast.core.stock.backorders import offer, seek
from holdfast.core.stock.caller import Caller
from holdfast.core.stock.holds import describe
from holdfast.core.stock.journal import book
from holdfast.core.stock.posting import COMMAND_ENTRIES_MAX, Stock
from holdfast.core.warehouse import adjustment, count_sheet, opening_stock, quarantine, receiving, transfer

OPERATIONS_MAX = 1000
"""Most operations of one call of `/inventory-reservations/batch` (docs/reference/api.md#reservations)."""


class Sweep(Command, frozen=True, gc=False):
    """Settle these levels, given as (product id, location id), as far as one transaction goes, and offer what lies
    free.

    Answers how many of them may have more expired holds.
    """

    levels: tuple[tuple[str, str], ...]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A refused member of a group that was not atomic."""

    rejected: Rejected


Answer = Any
"""What an accepted command answers: a document of the core (a msgspec Struct), or a list of them. A refused member of a
group has a `Refusal` in its list; a Sweep answers a number."""


def decide(stock: Stock, caller: Caller, command: Command) -> Answer | Rejected:
    """Decide one command and post what it does; a Rejected (or a raised Missing) leaves no level, lot, hold or row
    changed."""
    stock.entries_max = len(stock.entries) + COMMAND_ENTRIES_MAX
    return _decide_or_undo(stock, caller, command)


def _decide_or_undo(stock: Stock, caller: Caller, command: Command) -> Answer | Rejected:
    """Decide a command, or a member of a group; a refusal is undone and answered as a value."""
    stock.caller = caller
    mark = stock.mark()
    try:
        answer = _answer_and_book(stock, command, mark[1])
    except Refused as no:
        _undo(stock, mark)
        return no.rejected
    except BaseException:
        _undo(stock, mark)
        raise
    # A hold is described only now: `seek` and the books come after its decision, and may have moved it.
    return describe(stock, stock.reservations[answer.id]) if type(answer) is Reservation else answer


def _answer_and_book(stock: Stock, command: Command, first_entry: int) -> Answer:
    """What the command's decision answers; what it did is in the books."""
    decision = _DECISIONS.get(type(command))
    if decision is None:
        raise malformed("", f"{type(command).__name__} is not a command.")
    if stock.caller.stores is not None and type(command) in _OF_ALL_STORES:
        raise Refused(Code.FORBIDDEN, ALL_STORES)
    answer = decision(stock, command)
    assert not isinstance(answer, Rejected), (command, "a decision raises its refusal")
    if type(command) is not CommandGroup:  # its members have booked their own
        if stock.holds_to_place:
            seek(stock)
        _book(stock, first_entry)
    return answer


def _book(stock: Stock, since: int) -> None:
    """The books follow what was decided, in whichever store it had consequences."""
    if stock.caller.stores is None:
        book(stock, since)
    else:
        with stock.consequences():
            book(stock, since)


def _undo(stock: Stock, mark: tuple[int, int, int]) -> None:
    stock.undo(mark)
    stock.holds_to_place.clear()


def _decide_group(stock: Stock, command: CommandGroup) -> list[Answer]:
    """Decide a group; members after a refused one are decided too, so that every short line can be named."""
    caller = stock.caller
    answers: list[Answer] = []
    refused: list[tuple[int, Rejected]] = []
    decided = stock.each(command.commands, lambda _, member: _decide_or_undo(stock, caller, member))
    for index, answer in enumerate(decided):
        if type(answer) is Rejected:
            refused.append((index, answer))
            answers.append(Refusal(answer))
        else:
            answers.append(answer)
    if refused and command.atomic:
        raise group_refused(refused)
    return answers


def _sweep(stock: Stock, command: Sweep) -> int:
    """Offer the free units of these levels to the holds that wait at other locations.

    Loading the levels has settled them, as far as one transaction goes.
    """
    stock.lock_levels(command.levels)
    levels = [stock.levels[pair] for pair in command.levels if pair in stock.levels]
    offer(stock, levels)
    return sum(level.id in stock.more_expired for level in levels)


DECISIONS: dict[type[Command], Decision] = {
    decision.command: decision
    for decision in (
        *reserve.DECISIONS,
        *amend.DECISIONS,
        *order_holds.DECISIONS,
        *appointments.DECISIONS,
        *whole_order.DECISIONS,
        *receiving.DECISIONS,
        *opening_stock.DECISIONS,
        *adjustment.DECISIONS,
        *count_sheet.DECISIONS,
        *transfer.DECISIONS,
        *quarantine.DECISIONS,
        *products.DECISIONS,
        *places.DECISIONS,
        *settings.DECISIONS,
        *users.DECISIONS,
        *keys.DECISIONS,
        *sign_in.DECISIONS,
        *views.DECISIONS,
        *imports.DECISIONS,
        *cart.DECISIONS,
        *completion.DECISIONS,
        *correction.DECISIONS,
        *checkout.DECISIONS,
        *order_import.DECISIONS,
        *payments.DECISIONS,
        *returns.DECISIONS,
        *register.DECISIONS,
        *periods.DECISIONS,
        *bookkeeping.DECISIONS,
        *key_pool.DECISIONS,
        Decision(Sweep, _sweep, Permission.STOCK),
        Decision(CommandGroup, _decide_group, Permission.READ),
    )
}
"""Every command with what decides it. (A group needs what its members need.)"""

_DECISIONS = {command: decision.decide for command, decision in DECISIONS.items()}
_OF_ALL_STORES = frozenset(command for command, decision in DECISIONS.items() if decision.of_all_stores)


def needs(known: Catalog, caller: Caller, command: Any) -> set[Want]:
    """Guess what the command will look at. `ProductNamed` stands for a product that nobody looked up yet.

    The decision asks for what the guess lacks. A wrong guess costs another round and nothing else.
    """
    kind = type(command)
    if kind is CommandGroup:
        return set().union(*(needs(known, caller, member) for member in command.commands))
    guess = _GUESSES.get(kind)
    wants: set[Want] = set()
    if guess is None:
        _need_levels(known, caller, command, wants)
    else:
        guess(known, caller, command, wants)
    if caller.session_id is not None and kind in _AT_TILL:
        wants.add(SessionById(caller.session_id))
    return wants


def _need_hold(_known: Catalog, _caller: Caller, command: Any, wants: set[Want]) -> None:
    wants.add(HoldById(command.reservation_id))


def _need_sale(known: Catalog, caller: Caller, command: Any, wants: set[Want]) -> None:
    wants.add(SaleById(command.sale_id))
    if type(command) is cart.AddLine:
        _need_levels(known, caller, command.line, wants)
    elif type(command) is returns.ReturnSale:  # goods go back to where their lines took them, mostly
        wants.update(PlacesOfTaken(part.line_id) for part in command.lines)


def _need_nothing(_known: Catalog, _caller: Caller, _command: Any, _wants: set[Want]) -> None:
    """It looks at records, not at levels."""


def _need_receipt(_known: Catalog, _caller: Caller, command: Any, wants: set[Want]) -> None:
    wants.add(RecordById("receipt", command.receipt_id))


def _need_document(_known: Catalog, _caller: Caller, command: Any, wants: set[Want]) -> None:
    wants.add(_OF_DOCUMENT[type(command)](command))


def _need_pairs(_known: Catalog, _caller: Caller, command: Any, wants: set[Want]) -> None:
    wants.update(LevelAt(*pair) for pair in command.levels)


def _need_held_order(known: Catalog, caller: Caller, command: Any, wants: set[Want]) -> None:
    """The levels. If the order of the hold is already a sale: that sale."""
    _need_levels(known, caller, command, wants)
    target = command.target if type(command) is reserve.Reserve else command
    if target.order_number is not None and (target is command or target.kind == "order"):
        wants.add(SaleOfOrder(target.source, target.order_number))
        wants.add(Crowded(target.order_number, target.source))


def _need_order(known: Catalog, caller: Caller, command: Any, wants: set[Want]) -> None:
    """The levels, the sale that the order is, and its holds."""
    _need_levels(known, caller, command, wants)
    if type(command) is order_entry.OpenSale:
        wants.add(RecordById("counter", "sale"))
    if command.order_number is not None and command.source is not None:
        external_id = getattr(command, "external_id", None)
        numbers = [command.order_number] if external_id is None else [command.order_number, external_id]
        wants.update(SaleOfOrder(command.source, number) for number in numbers)
        wants.update(HoldsOfOrder(number, command.source) for number in numbers)


def _need_counter(known: Catalog, caller: Caller, command: Any, wants: set[Want]) -> None:
    """The levels, and the counter of sale numbers, unless it is a quote."""
    _need_levels(known, caller, command, wants)
    if not command.quote:
        wants.add(RecordById("counter", "sale"))


_AT_TILL = (
    completion.CompleteSale,
    cart.CancelSale,
    payments.TakePayment,
    payments.CorrectPayment,
    checkout.Checkout,
    returns.ReturnSale,
    returns.MoneyOff,
    returns.ReturnBlind,
    register.MoveCash,
    register.CloseSession,
)
"""Commands that look at the session of the till that gives them."""


_OF_SALE = (
    cart.AddLine,
    cart.EditLine,
    cart.RemoveLine,
    cart.ChangeSale,
    cart.SuspendSale,
    cart.ResumeSale,
    cart.CancelSale,
    completion.CompleteSale,
    completion.Fulfill,
    correction.RevertShipment,
    correction.TakeBackOrder,
    payments.TakePayment,
    payments.CorrectPayment,
    returns.ReturnSale,
    returns.MoneyOff,
)
"""Commands that name a sale."""


_OF_DOCUMENT: dict[type, Callable[[Any], Want]] = {
    count_sheet.FillSheet: lambda command: RecordById("count_sheet", command.sheet_id),
    count_sheet.RemoveSheetLine: lambda command: RecordById("count_sheet", command.sheet_id),
    count_sheet.CloseSheet: lambda command: RecordById("count_sheet", command.sheet_id),
    transfer.ReceiveTransfer: lambda command: RecordById("transfer", command.transfer_id),
    transfer.SendBack: lambda command: RecordById("transfer", command.transfer_id),
}
"""Commands that name a document; where its lines lie is known when it is there."""


def _need_levels(known: Catalog, caller: Caller, command: Any, wants: set[Want]) -> None:
    """The levels of a command that names products and perhaps a location."""
    location = getattr(command, "location", None) or getattr(command, "from_location", None)
    lines = getattr(command, "lines", None)
    names = [line.product for line in lines] if lines else [getattr(command, "product", None)]
    places: list[Location] | None = None
    for name in names:
        if name is None:
            continue
        if not known.knows(name):
            wants.add(ProductNamed(name))
            continue
        product = known.product(name)
        if product is None or product.unlimited:
            continue
        if places is None:
            places = _places(known, caller, command, location)
        wants.update([LevelAt(product.id, place.id) for place in places])


def _places(known: Catalog, caller: Caller, command: Any, location: str | None) -> list[Location]:
    """Where a command's products may lie: at the location that it names, else wherever it may sell from."""
    if location is not None:
        place = known.location(location)
        return [] if place is None else [place]
    store = known.store(command.store_id) if getattr(command, "store_id", None) else None
    if store is None:
        return known.sellable_places(caller.stores, online=caller.online)
    return known.sellable_places(frozenset((store.id,)), online=False)


_OF_CATALOG = {command for command, decision in DECISIONS.items() if decision.changes_catalog}
"""Commands that write records which other decisions look up."""

_GUESSES: dict[type, Callable[[Catalog, Caller, Any, set[Want]], None]] = {
    **dict.fromkeys((reserve.Release, reserve.Consume, amend.Amend), _need_hold),
    **dict.fromkeys(_OF_SALE, _need_sale),
    **dict.fromkeys(_OF_CATALOG, _need_nothing),
    **dict.fromkeys(_OF_DOCUMENT, _need_document),
    **dict.fromkeys(
        (bookkeeping.PostEntry, bookkeeping.ReverseEntry, imports.StartImport, imports.TakeBackImport), _need_nothing
    ),
    bookkeeping.BillReceipt: _need_receipt,
    opening_stock.TakeBackReceipt: _need_receipt,
    **dict.fromkeys((reserve.Reserve, order_holds.ReserveAtLevel), _need_held_order),
    **dict.fromkeys(
        (order_entry.OpenSale, order_import.ImportOrder, order_holds.OrderReserve, order_holds.OrderClose), _need_order
    ),
    checkout.Checkout: _need_counter,
    Sweep: _need_pairs,
}
"""What a command looks at beside the levels of the products that it names, or instead of them."""


def changes_catalog(command: Command) -> bool:
    """Does the command write a record that other decisions look up?"""
    if isinstance(command, CommandGroup):
        kinds = {type(member) for member in command.commands}
        return bool(kinds & _OF_CATALOG) or (CommandGroup in kinds and any(map(changes_catalog, command.commands)))
    return type(command) in _OF_CATALOG
