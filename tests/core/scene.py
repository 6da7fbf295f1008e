"""Scenes: stock and holds before, one command, and what stands after it, as small tables.

    scene.given('''
        MUG-1 MAIN   A 3, B 5
        101          2 MUG-1 MAIN
    ''')
    scene.do(Reserve("MUG-1", 4, "MAIN", Target("102")))
    scene.stands('''
        MUG-1 MAIN   A 3/3, B 5/3
        101          A 2
        102          A 1, B 3
    ''')

Stock: product, location, lots with their units (after it: units/promised units; `~` is a lot without a code), and what
waits without stock. Holds go by their order number: the lots that back them, or how they ended. Before it a lot may
have `@1.50` (unit cost) and `until 60` (expires in seconds), a hold `lot A`, `priority 10`, `until 60`. Units are
smallest units.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Reserve, Target
from tests.shop import FOUNDED, SECOND, Clock, Shop


class Scene:
    """A shop in which things are called by lot code and order number."""

    def __init__(self, shop: Shop, clock: Clock | None) -> None:
        self.shop = shop
        self._clock = clock
        self.products: dict[str, Any] = {}

    @property
    def clock(self) -> Clock:
        """Time, where a test may move it (SQLite)."""
        assert self._clock is not None, "time only moves by itself here"
        return self._clock

    @property
    def now(self) -> int:
        """Microseconds since 1970."""
        return self.clock.now

    def product(self, sku: str = "MUG-1", **fields: Any) -> None:
        """Add a product."""
        self.products[sku] = self.shop.product(sku, **fields)

    def given(self, table: str) -> None:
        """Make it stand so; products that nobody added are plain ones."""
        for line in filter(None, map(str.strip, table.splitlines())):
            first, rest = line.split(None, 1)
            if re.fullmatch(r"[A-Z]+-\w+", first):
                self._stock(first, rest)
            else:
                self._hold(first, rest)

    def _stock(self, sku: str, rest: str) -> None:
        if sku not in self.products:
            self.product(sku)
        place, lots = rest.split(None, 1)
        for text in lots.split(","):
            code, units, *options = text.split()
            cost = options.pop(0)[1:] if options and options[0].startswith("@") else None
            given = dict(zip(options[::2], options[1::2], strict=True))
            expires = FOUNDED + int(given["until"]) * SECOND if "until" in given else None
            self.shop.receive(sku, int(units), place, lot=None if code == "~" else code, cost=cost, expires_at=expires)

    def _hold(self, order: str, rest: str) -> None:
        units, sku, place, *options = rest.split()
        if self._clock is not None:
            self._clock.pass_(1)  # so that one hold is older than another
        given = dict(zip(options[::2], options[1::2], strict=True))
        self.do(
            Reserve(
                sku,
                int(units),
                place,
                Target(order),
                lot_id=self.lot(given["lot"]) if "lot" in given else None,
                expires_at=self.now + int(given["until"]) * SECOND if "until" in given else None,
                priority=int(given.get("priority", 100)),
                override=True,
            )
        )

    def lot(self, code: str) -> str:
        """The id of the last lot with that code."""
        found = self.shop.rows("SELECT id FROM lot WHERE code = :code ORDER BY id DESC", code=code)
        return str(found[0]["id"])

    def hold(self, order: str) -> str:
        """The id of the last hold of that order."""
        query = "SELECT id FROM reservation WHERE order_number = :order ORDER BY id DESC"
        return str(self.shop.rows(query, order=order)[0]["id"])

    def do(self, command: Any, **options: Any) -> Any:
        """Give a command that is accepted."""
        return self.shop.ok(command, **options)

    def refuses(self, command: Any, code: str, **options: Any) -> Rejected:
        """Give a command that is refused with the code; nothing changes by it."""
        before = self.table(), len(self.ledger())
        refused = self.shop.refused(command, **options)
        assert refused.code == code, refused
        assert (self.table(), len(self.ledger())) == before
        return refused

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.pass_(int(seconds * SECOND))

    # What stands -----------------------------------------------------------------------------------------------------

    def stands(self, table: str) -> None:
        """It stands exactly so."""
        expected = [" ".join(line.split()) for line in table.strip().splitlines()]
        assert self.table() == expected

    def table(self) -> list[str]:
        """How it stands: levels that have something, then holds as they were made."""
        return [*self._levels(), *self._holds()]

    def _levels(self) -> list[str]:
        lots = defaultdict(list)
        query = "SELECT s.*, l.code, l.received_at FROM lot_stock s JOIN lot l ON l.id = s.lot_id WHERE s.on_hand > 0"
        for row in sorted(self.shop.rows(query), key=lambda row: (row["received_at"], row["lot_id"])):
            lots[row["level_id"]].append(f"{row['code'] or '~'} {row['on_hand']}/{row['reserved']}")
        query = (
            "SELECT v.id, v.backordered, p.sku, l.code FROM level v JOIN product p ON p.id = v.product_id "
            "JOIN location l ON l.id = v.location_id WHERE v.on_hand > 0 OR v.backordered > 0"
        )
        lines = []
        for row in self.shop.rows(query):
            waits = [f"waits {row['backordered']}"] if row["backordered"] else []
            lines.append(f"{row['sku']} {row['code']} {', '.join(lots[row['id']] + waits)}")
        return sorted(lines)

    def _holds(self) -> list[str]:
        codes = {row["id"]: row["code"] or "~" for row in self.shop.rows("SELECT id, code FROM lot")}
        lines = []
        for row in self.shop.rows("SELECT * FROM reservation ORDER BY id"):
            allocations = row["allocations"]
            pairs = json.loads(allocations) if isinstance(allocations, str) else allocations
            parts = [f"{codes[lot]} {units}" for lot, units in pairs]
            parts += [f"waits {row['backordered']}"] if row["backordered"] else []
            if row["status"] == "consumed":
                parts.append(f"consumed {row['consumed']}")
            elif row["status"] == "released":
                parts.append(row["release_reason"])
            lines.append(f"{row['order_number'] or '-'} {', '.join(parts)}")
        return lines

    def ledger(self, ref_type: str | None = None) -> list[dict[str, Any]]:
        """Ledger lines as they were written, of one type or of all."""
        found = self.shop.rows("SELECT * FROM ledger ORDER BY id")
        return [line for line in found if ref_type in (None, line["ref_type"])]

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Events as they were written: {type, data, ...}."""
        batches = self.shop.rows("SELECT payload FROM event_batch ORDER BY id")
        found = [event for batch in batches for event in json.loads(batch["payload"])]
        return [event for event in found if kind in (None, event["type"])]

    def value(self, code: str, place: str = "MAIN") -> int:
        """What a lot at a place is worth, in minor units."""
        query = (
            "SELECT s.value FROM lot_stock s JOIN lot t ON t.id = s.lot_id JOIN location l ON l.id = s.location_id "
            "WHERE t.code = :code AND l.code = :place"
        )
        return int(self.shop.rows(query, code=code, place=place)[0]["value"])

    def values(self) -> int:
        """What all lots are worth, in minor units."""
        return sum(row["value"] for row in self.shop.rows("SELECT value FROM lot_stock"))
