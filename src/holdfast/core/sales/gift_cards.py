"""Gift cards: money that the organisation owes to whoever knows a code (docs/how-to/gift-cards.md).

    issue(stock, 5000, "SALE", sale_id, code=None, sale_id=sale_id)    -> a card with 50.00, its code made here
    spend(stock, "7KQD-M2XA-P9RT-HW4C", 1990, "PAYMENT", payment_id)   -> 30.10 are left
    spend(stock, "7KQD-M2XA-P9RT-HW4C", 5000, "PAYMENT", payment_id)   -> PAYMENT_MISMATCH, 30.10 are available

What a card is worth is the sum of its entries, which are numbered and only ever added to. A card belongs to the
organisation, not to a store: what one store sold can be spent in any other. It is locked while a batch looks at it, so
the second of two tills that want the same money sees what the first has left. Nothing is booked here: who calls stages
the money, and account 2200 then comes to what all cards are worth. Amounts are minor units, times microseconds since
1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar, Final, Literal

import msgspec

from holdfast.core.records.number import AMOUNT_MAX, from_minor
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed, not_found
from holdfast.core.records.sale import CHANNELS, Sale, SaleLine
from holdfast.core.records.status import ACTIVE, BLOCKED, GIFT_CARD, GiftCardStatus, Transitions
from holdfast.core.records.wants import GiftCardOfCode, GiftCardsOfSale
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

GiftCardRef = Literal["SALE", "PAYMENT", "RETURN"]
"""What moves the balance of a card: a sale that issues or loads it, a payment, a return."""

CODE_SHORTEST: Final = 6
CODE_LONGEST: Final = 64
"""Characters of a code that is brought along: that of a printed card."""

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The characters of a code that is made here: no 0 and O, no 1 and I, so that nobody misreads one."""

GROUPS: Final = 4
GROUP_CHARACTERS: Final = 4
CHARACTER_BITS: Final = 5
CODE_BITS: Final = GROUPS * GROUP_CHARACTERS * CHARACTER_BITS
"""Random bits of a code that is made here (decision 0044): 80, one of 32 characters for each five."""

CARDS_MAX: Final = 100
"""Most cards that one line of a sale sells."""

CARDS_OF_SALE_MAX: Final = 1_000
"""Most cards that one sale sells."""

SHOWN_CHARACTERS: Final = 4
"""Characters at the end of a code by which people tell cards apart who may not spend them."""

_CODE = re.compile(rf"[A-Za-z0-9-]{{{CODE_SHORTEST},{CODE_LONGEST}}}")


class GiftCard(msgspec.Struct, frozen=True, gc=False):
    """A card with its balance. `issued` is what it was issued with, `entries` how many entries it has."""

    transitions: ClassVar[Transitions] = GIFT_CARD
    indexed: ClassVar[tuple[str, ...]] = ("code", "issued_by_sale")

    id: str
    code: str
    balance: int
    status: GiftCardStatus
    issued_by_sale: str | None
    created_at: int
    updated_at: int
    issued: int
    entries: int


class GiftCardEntry(msgspec.Struct, frozen=True, gc=False):
    """One change of a card's balance, number `seq` of the card; `amount` is what came on to it, or (negative) went."""

    id: str
    card_id: str
    amount: int
    balance_after: int
    ref_type: GiftCardRef
    ref_id: str
    actor: str
    created_at: int
    seq: int


def read_code(text: str) -> str | None:
    """A code as it is kept, in capitals without spaces around it; None when no card can have it."""
    stripped = text.strip()
    return stripped.upper() if _CODE.fullmatch(stripped) else None


def shown_code(code: str) -> str:
    """The end of a code, which says which card is meant and spends nothing."""
    return code[-SHOWN_CHARACTERS:]


def issue(
    stock: Stock, amount: int, ref_type: GiftCardRef, ref_id: str, *, code: str | None, sale_id: str | None
) -> GiftCard:
    """A new card that is worth `amount`; its code is the given one, which nobody may have, or one that is made here.

    Refused: ALREADY_EXISTS for a code that is taken, INVALID_REQUEST (field `code`) for what cannot be one,
    INVALID_AMOUNT.
    """
    _refuse_amount(stock, amount, amount)
    chosen = _made_code(stock) if code is None else free_code(stock, code)
    card = GiftCard(
        id=stock.new_id(),
        code=chosen,
        balance=0,
        status=ACTIVE,
        issued_by_sale=sale_id,
        created_at=stock.now,
        updated_at=stock.now,
        issued=amount,
        entries=0,
    )
    return _moved(stock, card, amount, ref_type, ref_id)


def load(stock: Stock, code: str, amount: int, ref_type: GiftCardRef, ref_id: str) -> GiftCard:
    """The card with `amount` more on it. Refused: NOT_FOUND, INVALID_STATE for a blocked card, INVALID_AMOUNT."""
    return load_onto(stock, active_card(stock, code), amount, ref_type, ref_id)


def load_onto(stock: Stock, card: GiftCard, amount: int, ref_type: GiftCardRef, ref_id: str) -> GiftCard:
    """`load`, of a card that is at hand."""
    _refuse_blocked(card)
    _refuse_amount(stock, amount, card.balance + amount)
    return _moved(stock, card, amount, ref_type, ref_id)


def spend(stock: Stock, code: str, amount: int, ref_type: GiftCardRef, ref_id: str) -> GiftCard:
    """The card with `amount` less on it. Refused: NOT_FOUND, INVALID_STATE for a blocked card, INVALID_AMOUNT, and
    PAYMENT_MISMATCH when less than that is on it."""
    return spend_on(stock, active_card(stock, code), amount, ref_type, ref_id)


def spend_on(stock: Stock, card: GiftCard, amount: int, ref_type: GiftCardRef, ref_id: str) -> GiftCard:
    """`spend`, of a card that is at hand."""
    _refuse_blocked(card)
    _refuse_amount(stock, amount, amount)
    if amount > card.balance:
        available, requested = _money(stock, card.balance), _money(stock, amount)
        raise Refused(
            Code.PAYMENT_MISMATCH,
            f"There are {available} on the gift card that ends in {shown_code(card.code)}, not {requested}.",
            {"available": available, "requested": requested, "field": "payments"},
        )
    return _moved(stock, card, -amount, ref_type, ref_id)


def block(stock: Stock, code: str, ref_type: GiftCardRef, ref_id: str) -> int:
    """Take all that is on the card, and block it for ever: it is given back. What was taken.

    Refused: NOT_FOUND, and INVALID_STATE for a card that is blocked, or that is worth less than it was issued with.
    """
    return _blocked(stock, active_card(stock, code), ref_type, ref_id)


def _blocked(stock: Stock, card: GiftCard, ref_type: GiftCardRef, ref_id: str) -> int:
    if card.balance < card.issued:
        available, requested = _money(stock, card.balance), _money(stock, card.issued)
        raise invalid_state(
            f"The gift card that ends in {shown_code(card.code)} was sold with {requested}, "
            f"and {available} are left: it cannot be given back.",
            available=available,
            requested=requested,
        )
    _moved(stock, replace(card, status=BLOCKED), -card.balance, ref_type, ref_id)
    return card.balance


def issue_cards(stock: Stock, sale: Sale, lines: Iterable[SaleLine]) -> None:
    """The cards that a completed sale has sold, each worth the price of one."""
    sold = [line for line in lines if line.kind == "gift_card"]
    if sum(line.quantity for line in sold) > CARDS_OF_SALE_MAX:
        raise invalid_state(f"A sale makes at most {CARDS_OF_SALE_MAX:,} gift cards: sell them in parts.")
    look_at(stock, [line.gift_code for line in sold if line.gift_code is not None])
    for line in sold:
        for _ in range(line.quantity):
            issue(stock, line.unit_price, "SALE", sale.id, code=line.gift_code, sale_id=sale.id)


def refuse_unpaid_cards(stock: Stock, sale: Sale, lines: Iterable[SaleLine]) -> None:
    """Refuse to make gift cards that nobody has paid for: who has the code has the money. Orders of channels are
    facts. PAYMENT_MISMATCH."""
    if sale.owed and sale.source not in CHANNELS and any(line.kind == "gift_card" for line in lines):
        owed = _money(stock, sale.owed)
        raise Refused(
            Code.PAYMENT_MISMATCH, f"A gift card is made when its sale is paid: {owed} is owed.", {"owed": owed}
        )


def take_back_cards(
    stock: Stock, sale: Sale, line: SaleLine, units: int, return_id: str, code: str | None = None
) -> int:
    """Block the card with the `code`, or so many whole cards of the sale that cost what one of the line does, if there
    are no others; what they were worth, minor units.

    INVALID_STATE when fewer are whole: nothing was spent of a whole one. INVALID_REQUEST when it has to be said which.
    """
    whole = [
        card
        for card in cards_of_sale(stock, sale.id)
        if card.status == ACTIVE and card.balance == card.issued == line.unit_price
    ]
    if code is not None:
        kept = read_code(code)
        whole = [card for card in whole if card.code == kept]
    elif len(whole) > units:
        raise malformed("code", "is required: which of the gift cards comes back?")
    if len(whole) < units:
        words = "It was spent of the gift card, or it was given back: only a whole one comes back."
        raise invalid_state(words, requested=units, available=len(whole))
    return sum(_blocked(stock, card, "RETURN", return_id) for card in whole[:units])


def cards_of_sale(stock: Stock, sale_id: str) -> list[GiftCard]:
    """The cards that the sale issued, the oldest first."""
    if sale_id not in stock.new_ids:
        stock.require(GiftCardsOfSale(sale_id))
    return sorted(stock.rows_with(GiftCard, "issued_by_sale", sale_id), key=lambda card: card.id)


def look_at(stock: Stock, codes: Iterable[str]) -> None:
    """Ask for the cards with these codes at once; a code that no card can have asks for nothing."""
    stock.require(*(GiftCardOfCode(kept) for code in codes if (kept := read_code(code)) is not None))


def active_card(stock: Stock, code: str) -> GiftCard:
    """The card with that code, locked; refused when there is none, or when it is blocked."""
    kept = read_code(code)
    card = None if kept is None else _card_of(stock, kept)
    if card is None:
        raise not_found(Code.NOT_FOUND, "Gift card", code)
    _refuse_blocked(card)
    return card


def _refuse_blocked(card: GiftCard) -> None:
    if card.status == BLOCKED:
        raise invalid_state(f"The gift card that ends in {shown_code(card.code)} is blocked.")


def _card_of(stock: Stock, kept: str) -> GiftCard | None:
    """The card with a code as it is kept, of the database or of this batch."""
    stock.require(GiftCardOfCode(kept))
    return next(iter(stock.rows_with(GiftCard, "code", kept)), None)


def free_code(stock: Stock, code: str) -> str:
    """A code that was brought along, as it is kept."""
    kept = read_code(code)
    if kept is None:
        words = f"must have {CODE_SHORTEST} to {CODE_LONGEST} characters, each a letter A to Z, a digit, or a hyphen."
        raise malformed("code", words)
    if _card_of(stock, kept) is not None:
        detail = f"There is a gift card with the code that ends in {shown_code(kept)} already."
        raise Refused(Code.ALREADY_EXISTS, detail, {"field": "code"})
    return kept


def _made_code(stock: Stock) -> str:
    """A code that nobody can guess. That another card has it is not asked: with 80 bits it will not happen, and the
    table would refuse it."""
    number = stock.random_bits(CODE_BITS)
    characters = []
    for _ in range(GROUPS * GROUP_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[digit])
    text = "".join(characters)
    return "-".join(text[start : start + GROUP_CHARACTERS] for start in range(0, len(text), GROUP_CHARACTERS))


def _moved(stock: Stock, card: GiftCard, amount: int, ref_type: GiftCardRef, ref_id: str) -> GiftCard:
    """The card after one more entry; both are kept."""
    at = max(stock.now, card.updated_at)
    after = replace(card, balance=card.balance + amount, entries=card.entries + 1, updated_at=at)
    assert after.balance >= 0, (after, amount)
    stock.put_row(after)
    stock.put_row(
        GiftCardEntry(
            id=stock.new_id(),
            card_id=card.id,
            amount=amount,
            balance_after=after.balance,
            ref_type=ref_type,
            ref_id=ref_id,
            actor=stock.caller.actor,
            created_at=at,
            seq=after.entries,
        )
    )
    return after


def _refuse_amount(stock: Stock, amount: int, after: int) -> None:
    """Refuse to move nothing, or less; and more on a card than can be kept."""
    if amount <= 0:
        raise Refused(Code.INVALID_AMOUNT, "An amount on a gift card must be above zero.", {"field": "amount"})
    if after > AMOUNT_MAX:
        most = _money(stock, AMOUNT_MAX)
        raise Refused(Code.INVALID_AMOUNT, f"A gift card can be worth {most} at most.", {"field": "amount"})


def _money(stock: Stock, amount: int) -> str:
    return from_minor(amount, stock.settings.minor_digits)
