"""The check of the gift cards: each is worth what its entries say, and all of them are what account 2200 owes.

    5000, -1990, -3010        -> 0 are left: 50.00 were sold, and spent in two parts

A card's entries are followed from the first. What they come to must be the balance, never below zero on the way. What
all cards are worth is put beside what sales and drawers have brought to the accounts (`ExpectedMoney`), which
`holdfast.check.books` compares.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.check.expected_money import ExpectedMoney
from holdfast.check.run import Merged, Run, Tally
from holdfast.core.records.status import BLOCKED
from holdfast.core.sales.gift_cards import GiftCard, GiftCardEntry, read_code
from holdfast.core.stock.journal import GIFT_CARDS
from holdfast.db.audit_rows import Snapshot
from holdfast.db.audit_shapes import Stored


class GiftCardsCheck(Run):
    """Gift cards with their entries; what they are worth goes to `money`."""

    def __init__(self, rows: Snapshot, org_id: str | None, tally: Tally, money: ExpectedMoney) -> None:
        super().__init__(rows, org_id, tally)
        self._money = money

    def cards(self) -> None:
        """Walk all cards, and beside them their entries."""
        entries = Merged(self._rows.gift_card_entries(self._org), lambda row: (row.org_id, str(row.raw[2])))
        for row in self._rows.gift_cards(self._org):
            key = (row.org_id, str(row.raw[1]))
            self._orphans(entries, key)
            card: GiftCard | None = self._sound(row, f"gift_card {key[1]}")
            own = list(self._entries_of(entries.of(key)))
            if card is not None:
                self._card(row.org_id, card, own)
        self._orphans(entries, None)

    def _orphans(self, entries: Merged[Stored], key: tuple[str, ...] | None) -> None:
        """Entries whose card is not there."""
        for row in entries.before(key):
            for entry in self._entries_of(iter([row])):
                self._tell("gift_card_entry.card", _name_of(entry), entry.card_id, None, org_id=row.org_id)

    def _entries_of(self, rows: Iterator[Stored]) -> Iterator[GiftCardEntry]:
        for row in rows:
            entry: GiftCardEntry | None = self._sound(row, f"gift_card_entry {row.raw[1]}")
            if entry is not None:
                yield entry

    def _card(self, org_id: str, card: GiftCard, entries: list[GiftCardEntry]) -> None:
        """What the entries come to, against what the card says."""
        name = f"gift_card {card.id}"
        balance, last = 0, 0
        for number, entry in enumerate(entries, 1):
            balance += entry.amount
            expected, found = (number, balance), (entry.seq, entry.balance_after)
            self._same("gift_card_entry follows on the one before", _name_of(entry), expected, found, org_id=org_id)
            if entry.balance_after < 0 or not entry.amount:
                self._tell("gift_card_entry.amount", _name_of(entry), "a balance of 0 or more", found, org_id=org_id)
            if entry.created_at < last:
                self._tell("gift_card_entry.created_at", _name_of(entry), last, entry.created_at, org_id=org_id)
            last = entry.created_at
        summed, kept = (len(entries), balance), (card.entries, card.balance)
        self._same("gift_card is its entries", name, summed, kept, org_id=org_id)
        issued = entries[0].amount if entries else 0
        self._same("gift_card.issued", name, issued, card.issued, org_id=org_id)
        self._same("gift_card.code", name, read_code(card.code), card.code, org_id=org_id)
        if card.status == BLOCKED:
            self._same("gift_card.status", name, 0, card.balance, org_id=org_id)
        self._money.put(org_id, GIFT_CARDS, -card.balance)


def _name_of(entry: GiftCardEntry) -> str:
    return f"gift_card_entry {entry.id}"
