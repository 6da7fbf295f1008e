"""What the check reads of stock: levels, lots, holds, the ledger, documents on the road."""

from __future__ import annotations

import time
from collections.abc import Iterator

from holdfast.core.records.ledger import Entry
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.db.audit_shapes import Beside, Doubled, Head, HoldSum, InTransit, LeftOpen, Seal, Stored
from holdfast.db.audit_stream import AuditStream, and_where, where
from holdfast.db.queries.stuck import beside

NEW_PLACE_SECONDS = 300
"""So long a location may have begun to sell before who waits for its units is named."""


def _hex(link: bytes | None) -> str | None:
    return None if link is None else link.hex()


class StockStreams(AuditStream):
    """Streams of stock; `org_id` limits each to an organisation."""

    def levels(self, org_id: str | None) -> Iterator[Stored]:
        """Levels by id, beside each the SKU, the location's code (None: there is none) and whether it is active."""
        yield from self._structs(
            Level,
            "p.sku, c.code, c.active",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def lot_stocks(self, org_id: str | None) -> Iterator[Stored]:
        """Lots at locations by level, beside each the lot's product (None: there is no such lot), and when it was
        received as it stands here and there."""
        yield from self._structs(
            LotStock,
            "l.product_id, t.received_at, l.received_at",
            "LEFT JOIN lot l ON l.org_id = t.org_id AND l.id = t.lot_id",
            "ORDER BY t.org_id, t.level_id, t.lot_id",
            org_id,
        )

    def active_holds(self, org_id: str | None) -> Iterator[Stored]:
        """Active reservations by level."""
        active = "AND" if org_id is not None else "WHERE"
        yield from self._structs(
            Reservation, "", "", f"{active} t.status = 'active' ORDER BY t.org_id, t.level_id", org_id, where_first=True
        )

    def entries(self, org_id: str | None) -> Iterator[Stored]:
        """Ledger entries by level and number, beside each what it keeps of the chain."""
        yield from self._structs(Entry, "t.link", "", "ORDER BY t.org_id, t.level_id, t.seq", org_id)

    def seals(self, org_id: str | None) -> Iterator[Seal]:
        """The seals of older entries by level."""
        rows = self._stream(
            f"SELECT t.org_id, t.level_id, t.entries, t.digest FROM ledger_seal t {where(org_id)} ORDER BY 1, 2",
            org_id,
        )
        for org, level_id, entries, digest in rows:
            yield Seal(str(org), str(level_id), int(entries), digest)

    def heads(self, org_id: str | None) -> Iterator[Head]:
        """How far the ledger of every level goes, by level, with the seal of its older entries."""
        rows = self._stream(
            "SELECT t.org_id, t.id, p.sku, c.code, t.seq, t.head, s.entries, s.digest FROM level t "
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id "
            "LEFT JOIN ledger_seal s ON s.org_id = t.org_id AND s.level_id = t.id "
            f"{where(org_id)} ORDER BY t.org_id, t.id",
            org_id,
        )
        for org, level_id, sku, location, entries, head, older, sealed in rows:
            yield Head(str(org), str(level_id), sku, location, entries, _hex(head), older, _hex(sealed))

    def reservations(self, org_id: str | None) -> Iterator[Stored]:
        """Reservations by id, beside each its level's product and location, the SKU, the location's code."""
        yield from self._structs(
            Reservation,
            "l.product_id, l.location_id, p.sku, c.code",
            "LEFT JOIN level l ON l.org_id = t.org_id AND l.id = t.level_id "
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def lots(self, org_id: str | None) -> Iterator[Stored]:
        """Lots by id, beside each its product's SKU."""
        yield from self._structs(
            Lot,
            "p.sku",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def hold_sums(self, org_id: str | None) -> Iterator[HoldSum]:
        """What the ledger says of each reservation at each level, by reservation."""
        named = "AND" if org_id is not None else "WHERE"
        rows = self._stream(
            "SELECT t.org_id, t.reservation_id, t.level_id, sum(t.reserved_delta), sum(t.backordered_delta), "
            "-sum(CASE WHEN t.ref_type = 'SALE' THEN t.qty_delta ELSE 0 END) "
            f"FROM ledger t {where(org_id)} {named} t.reservation_id IS NOT NULL "
            "GROUP BY t.org_id, t.reservation_id, t.level_id ORDER BY t.org_id, t.reservation_id, t.level_id",
            org_id,
        )
        for org, name, level_id, *sums in rows:
            yield HoldSum(str(org), str(name), str(level_id), *(int(number) for number in sums))

    def beside_free(self, org_id: str | None) -> Iterator[Beside]:
        """Holds that wait beside free units, each with every location that has some. (A location that has just begun to
        sell serves them within a minute: the sweeper does it.)"""
        now = time.time_ns() // 1000
        named = "AND r.org_id = :org " if org_id is not None else ""
        named += f"AND NOT (c.updated_at > r.updated_at AND c.updated_at > {now - NEW_PLACE_SECONDS * 1_000_000}) "
        from_where = beside(is_sqlite=self._is_sqlite).replace(":now", str(now))
        joined = from_where.replace(
            "WHERE",
            "JOIN product p ON p.org_id = r.org_id AND p.id = r.product_id "
            "JOIN location h ON h.org_id = r.org_id AND h.id = r.location_id WHERE",
            1,
        )
        rows = self._stream(
            f"SELECT r.org_id, r.id, p.sku, h.code, c.code, r.backordered, l.on_hand - l.reserved {joined}{named}"
            "ORDER BY r.org_id, r.id, c.code",
            org_id,
        )
        for org, name, sku, location, elsewhere, waits, free in rows:
            yield Beside(str(org), str(name), sku, location, elsewhere, int(waits), int(free))

    def doubled(self, org_id: str | None) -> Iterator[Doubled]:
        """Holds of an order beside those of its sale: of a product that the unfinished sale has a line of, or left over
        when it ended. (Who ends a sale of one store leaves what another store holds.)"""
        named = "AND r.org_id = :org" if org_id is not None else ""
        found = (
            "SELECT r.org_id, r.id, p.sku, c.code, s.number, s.status FROM reservation r "
            "JOIN sale s ON s.org_id = r.org_id AND s.source = r.source AND s.{number} = r.order_number "
            "JOIN product p ON p.org_id = r.org_id AND p.id = r.product_id "
            "JOIN location c ON c.org_id = r.org_id AND c.id = r.location_id {lines}"
            f"WHERE r.status = 'active' AND r.held_for = 'order' {named} "
            f"AND (r.expires_at IS NULL OR r.expires_at > {time.time_ns() // 1000}) "
            "AND (s.store_id IS NULL OR s.store_id = c.store_id) AND {status}"
        )
        lines = (
            "JOIN sale_line l ON l.org_id = s.org_id AND l.sale_id = s.id AND l.product_id = r.product_id "
            "AND l.kind = 'stock' AND NOT l.removed "
        )
        ended = "s.status IN ('completed', 'cancelled') AND r.created_at <= coalesce(s.completed_at, s.updated_at)"
        parts = [
            found.format(number=number, lines=joined, status=status)
            for number in ("order_number", "external_id")
            for joined, status in ((lines, "s.status IN ('open', 'suspended')"), ("", ended))
        ]
        for org, name, sku, location, sale, status in self._stream(f"{' UNION '.join(parts)} ORDER BY 1, 2", org_id):
            yield Doubled(str(org), str(name), sku, location, sale, status)

    def left_open(self, org_id: str | None) -> Iterator[LeftOpen]:
        """Open count sheets, and transfers on the road to a location, that was removed."""
        for table, column, status in (
            ("count_sheet", "location_id", "draft"),
            ("transfer", "to_location_id", "shipped"),
        ):
            rows = self._stream(
                f"SELECT t.org_id, t.id, c.id, c.code FROM {table} t JOIN location c ON c.org_id = t.org_id "
                f"AND c.id = t.{column} AND NOT c.active {where(org_id)} {and_where(org_id)} t.status = '{status}' "
                "ORDER BY t.org_id, t.id",
                org_id,
            )
            for org, name, location_id, code in rows:
                yield LeftOpen(str(org), table, str(name), str(location_id), str(code))

    def in_transit(self, org_id: str | None) -> Iterator[InTransit]:
        """Units of each lot at transit locations."""
        rows = self._stream(
            "SELECT t.org_id, v.product_id, t.lot_id, sum(t.on_hand) FROM lot_stock t "
            "JOIN level v ON v.org_id = t.org_id AND v.id = t.level_id "
            "JOIN location c ON c.org_id = t.org_id AND c.id = v.location_id AND c.kind = 'transit' "
            f"{where(org_id)} {and_where(org_id)} t.is_open GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            org_id,
        )
        for org, product_id, lot_id, units in rows:
            yield InTransit(str(org), str(product_id), str(lot_id), int(units))

    def on_the_road(self, org_id: str | None) -> Iterator[InTransit]:
        """Units of each lot that transfers have shipped and that neither arrived, were written off nor sent back."""
        if self._is_sqlite:
            product, lot = "x.value ->> 'product_id'", "x.value ->> 'lot_id'"
            parts, lines = "coalesce(x.value ->> '{}', 0)", "json_each(t.lots) x"
        else:
            product, lot = "(x.value ->> 'product_id')::uuid", "(x.value ->> 'lot_id')::uuid"
            parts, lines = "coalesce((x.value ->> '{}')::bigint, 0)", "LATERAL json_array_elements(t.lots) x"
        left = " - ".join(parts.format(name) for name in ("units", "received", "lost", "sent_back"))
        rows = self._stream(
            f"SELECT t.org_id, {product}, {lot}, sum({left}) FROM transfer t CROSS JOIN {lines} {where(org_id)} "
            f"{and_where(org_id)} t.status = 'shipped' GROUP BY 1, 2, 3 HAVING sum({left}) <> 0 ORDER BY 1, 2, 3",
            org_id,
        )
        for org, product_id, lot_id, units in rows:
            yield InTransit(str(org), str(product_id), str(lot_id), int(units))
