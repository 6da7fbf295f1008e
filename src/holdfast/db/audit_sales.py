"""What the check reads of sales: sales with lines and returns, supplier orders, gift cards, license keys, drawers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.sales.gift_cards import GiftCard, GiftCardEntry
from holdfast.core.sales.register import CashMovement, RegisterSession
from holdfast.core.sales.return_record import Return
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.db import audit_entries
from holdfast.db.audit_shapes import KeyedLine, Sold, Stored, texts_in
from holdfast.db.audit_stream import AuditStream, and_where, org_of, where
from holdfast.db.exact_sum import exact

_STORE = "LEFT JOIN store s ON s.org_id = t.org_id AND s.id = t.store_id"


class SalesStreams(AuditStream):
    """Streams of sales and drawers; `org_id` limits each to an organisation."""

    def sales(self, org_id: str | None) -> Iterator[Stored]:
        """Sales by id, beside each its store, if that is there."""
        yield from self._structs(Sale, "s.id", _STORE, "ORDER BY t.org_id, t.id", org_id)

    def sale_lines(self, org_id: str | None) -> Iterator[Stored]:
        """Lines by sale and position, beside each its product's precision and SKU."""
        yield from self._structs(
            SaleLine,
            "p.precision, p.sku",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id",
            "ORDER BY t.org_id, t.sale_id, t.position, t.id",
            org_id,
        )

    def sale_returns(self, org_id: str | None, *, blind: bool) -> Iterator[Stored]:
        """Returns by sale, or those without one; beside each its store, if that is there."""
        order = f"{and_where(org_id)} t.sale_id IS {'' if blind else 'NOT '}NULL ORDER BY t.org_id, t.sale_id, t.id"
        yield from self._structs(Return, "s.id", _STORE, order, org_id)

    def supplier_orders(self, org_id: str | None) -> Iterator[Stored]:
        """Supplier orders by sale."""
        yield from self._structs(SupplierOrder, "", "", "ORDER BY t.org_id, t.sale_id, t.id", org_id)

    def gift_cards(self, org_id: str | None) -> Iterator[Stored]:
        """Gift cards by id."""
        yield from self._structs(GiftCard, "", "", "ORDER BY t.org_id, t.id", org_id)

    def gift_card_entries(self, org_id: str | None) -> Iterator[Stored]:
        """Entries of gift cards by card and number."""
        yield from self._structs(GiftCardEntry, "", "", "ORDER BY t.org_id, t.card_id, t.seq", org_id)

    def license_keys(self, org_id: str | None) -> Iterator[Stored]:
        """License keys by id, beside each its line's product, sale and keys, and its own product."""
        beside_it = "l.product_id, l.sale_id, l.key_ids, p.id"
        yield from self._structs(LicenseKey, beside_it, audit_entries.BESIDE_KEYS, "ORDER BY t.org_id, t.id", org_id)

    def keyed_lines(self, org_id: str | None) -> Iterator[KeyedLine]:
        """Lines of sales that got license keys, or wait for some, by id."""
        for row in self._stream(audit_entries.keyed_lines(org_id), org_id):
            yield KeyedLine(str(row[0]), str(row[1]), texts_in(row[2]), row[3], row[4], row[5], row[6], row[7])

    def keys_added(self, org_id: str | None) -> Iterator[Sequence[Any]]:
        """(organisation, product, `{"added": n}`) for each time when license keys were added, as the audit log says."""
        yield from self._stream(audit_entries.keys_added(org_id), org_id)

    def sold(self, org_id: str | None) -> Iterator[Sold]:
        """What left by sale, as the ledger has it; a line's hold may have been consumed past its sale."""
        held_for = "r.reserved_for_id" if self._is_sqlite else "r.reserved_for_id::text"
        rows = self._stream(
            f"SELECT t.org_id, coalesce({held_for}, t.ref_id){self._plain}, "
            f"{self._sum('-t.qty_delta')}, {self._sum('-t.value_delta')} "
            "FROM ledger t LEFT JOIN reservation r ON r.org_id = t.org_id AND r.id = t.reservation_id "
            f"AND r.sale_line_id IS NOT NULL {where(org_id)} {and_where(org_id)} t.ref_type = 'SALE' "
            f"AND coalesce({held_for}, t.ref_id) IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
            org_id,
        )
        for org, sale_id, units, value in rows:
            yield Sold(str(org), sale_id, exact(units), exact(value))

    def register_sessions(self, org_id: str | None) -> Iterator[Stored]:
        """Register sessions by id, beside each how many its register has up to it, and the register if it is there."""
        earlier = (
            f"(SELECT count(*) FROM register_session o WHERE o.org_id = {org_of('t', org_id)} "
            "AND o.register_id = t.register_id AND o.number <= t.number)"
        )
        till = "LEFT JOIN register g ON g.org_id = t.org_id AND g.id = t.register_id"
        yield from self._structs(RegisterSession, f"{earlier}, g.id", till, "ORDER BY t.org_id, t.id", org_id)

    def cash_movements(self, org_id: str | None) -> Iterator[Stored]:
        """Cash movements by session."""
        yield from self._structs(CashMovement, "", "", "ORDER BY t.org_id, t.session_id, t.id", org_id)

    def sales_of_sessions(self, org_id: str | None) -> Iterator[Stored]:
        """Completed sales of a till by its session."""
        order = (
            f"{and_where(org_id)} t.session_id IS NOT NULL AND t.status = 'completed' ORDER BY t.org_id, t.session_id"
        )
        yield from self._structs(Sale, "", "", order, org_id)

    def returns_of_sessions(self, org_id: str | None) -> Iterator[Stored]:
        """Returns to a till by its session."""
        order = f"{and_where(org_id)} t.session_id IS NOT NULL ORDER BY t.org_id, t.session_id"
        yield from self._structs(Return, "", "", order, org_id)
