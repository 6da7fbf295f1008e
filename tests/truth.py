"""What is always true of stock, checked by reading the tables: none of the product's own arithmetic.

assert_truth(shop)      raises with every untruth it finds
untruths(shop)          -> ["level MUG-1@MAIN: on_hand 5, its lots have 4", ...]

See docs/reference/invariants.md.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.shop import Shop

OUTWARD = {"RECEIPT", "SALE", "RETURN", "ADJUSTMENT", "TRANSFER", "COUNT", "EXPIRY"}
INWARD = {"RESERVE", "RELEASE"}
REASONS = {"cancelled", "expired", "edited", "voided"}


class Tables:
    """The rows of one organisation, as the database has them."""

    def __init__(self, shop: Shop) -> None:
        def read(table: str, order: str = "id") -> list[dict[str, Any]]:
            return shop.rows(f"SELECT * FROM {table} WHERE org_id = :org ORDER BY {order}", org=shop.org_id)

        self.products = {row["id"]: row for row in read("product")}
        self.locations = {row["id"]: row for row in read("location")}
        self.levels = {row["id"]: row for row in read("level")}
        self.lots = {row["id"]: row for row in read("lot")}
        self.lot_stocks = {(row["level_id"], row["lot_id"]): row for row in read("lot_stock", "level_id, lot_id")}
        self.holds = {row["id"]: row for row in read("reservation")}
        self.ledger = read("ledger", "level_id, seq")
        self.transfers = read("transfer")
        for hold in self.holds.values():
            hold["allocations"] = _pairs(hold["allocations"])

    def name(self, level_id: str) -> str:
        """A level in words."""
        level = self.levels[level_id]
        return f"{self.products[level['product_id']]['sku']}@{self.locations[level['location_id']]['code']}"

    def sellable(self, level_id: str) -> bool:
        """Is the level at a place from which is sold?"""
        return self.locations[self.levels[level_id]["location_id"]]["kind"] not in ("quarantine", "transit")


def _pairs(value: Any) -> list[tuple[str, int]]:
    return [(pair[0], pair[1]) for pair in (json.loads(value) if isinstance(value, str) else value)]


def assert_truth(shop: Shop) -> None:
    """Everything of docs/reference/invariants.md holds."""
    found = untruths(shop)
    assert not found, "\n".join(found)


def untruths(shop: Shop) -> list[str]:
    """Every sentence of docs/reference/invariants.md that does not hold, in words."""
    tables = Tables(shop)
    return [
        *_levels_are_their_lots(tables),
        *_holds_add_up(tables),
        *_levels_are_their_holds(tables),
        *_ledger_tells_the_same(tables),
        *_value_is_never_lost(tables),
        *_the_road_is_its_transfers(tables),
        *_nobody_is_overtaken(tables, shop),
        *_recalled_lots_are_off_the_shelf(tables),
    ]


def _levels_are_their_lots(t: Tables) -> list[str]:
    wrong = []
    on_hand: dict[str, int] = defaultdict(int)
    reserved: dict[str, int] = defaultdict(int)
    for (level_id, lot_id), at in t.lot_stocks.items():
        on_hand[level_id] += at["on_hand"]
        reserved[level_id] += at["reserved"]
        what = f"lot {t.lots[lot_id]['code']} of {t.name(level_id)}"
        if not 0 <= at["reserved"] <= at["on_hand"]:
            wrong.append(f"{what}: reserved {at['reserved']} of {at['on_hand']}")
        if at["value"] < 0 or (at["on_hand"] == 0 and at["value"] != 0):
            wrong.append(f"{what}: {at['on_hand']} units are worth {at['value']}")
        if bool(at["is_open"]) != (at["on_hand"] > 0):
            wrong.append(f"{what}: is_open {at['is_open']} with {at['on_hand']}")
        if t.lots[lot_id]["product_id"] != t.levels[level_id]["product_id"]:
            wrong.append(f"{what}: the lot is of another product")
    for level_id, level in t.levels.items():
        if not 0 <= level["reserved"] <= level["on_hand"] or level["backordered"] < 0:
            wrong.append(f"level {t.name(level_id)}: {level['on_hand']}/{level['reserved']}/{level['backordered']}")
        for field, units in (("on_hand", on_hand[level_id]), ("reserved", reserved[level_id])):
            if level[field] != units:
                wrong.append(f"level {t.name(level_id)}: {field} {level[field]}, its lots have {units}")
    return wrong


def _holds_add_up(t: Tables) -> list[str]:
    wrong = []
    for hold in t.holds.values():
        what = f"hold {hold['order_number'] or hold['id']}"
        open_units = hold["quantity"] - hold["consumed"] - hold["released"]
        allocated = sum(units for _, units in hold["allocations"])
        if min(hold["consumed"], hold["released"], hold["backordered"], open_units) < 0:
            wrong.append(f"{what}: something is negative: {hold}")
        if open_units != allocated + hold["backordered"]:
            wrong.append(f"{what}: open {open_units}, allocated {allocated}, backordered {hold['backordered']}")
        if any(units <= 0 for _, units in hold["allocations"]):
            wrong.append(f"{what}: an allocation without units")
        if len({lot for lot, _ in hold["allocations"]}) != len(hold["allocations"]):
            wrong.append(f"{what}: a lot twice")
        if hold["lot_id"] is not None and any(lot != hold["lot_id"] for lot, _ in hold["allocations"]):
            wrong.append(f"{what}: pinned to {hold['lot_id']}, backed by {hold['allocations']}")
        expected = "active" if open_units else ("consumed" if hold["consumed"] else "released")
        if hold["status"] != expected:
            wrong.append(f"{what}: {hold['status']}, should be {expected}")
        if hold["status"] == "released" and hold["release_reason"] not in REASONS:
            wrong.append(f"{what}: released because of {hold['release_reason']}")
        level = t.levels.get(hold["level_id"])
        if level is None or any(level[key] != hold[key] for key in ("product_id", "location_id")):
            wrong.append(f"{what}: lies at no level of its product and location")
        elif not t.sellable(hold["level_id"]) and open_units:
            wrong.append(f"{what}: promises what may not be sold, at {t.name(hold['level_id'])}")
    return wrong


def _levels_are_their_holds(t: Tables) -> list[str]:
    wrong = []
    reserved: dict[tuple[str, str], int] = defaultdict(int)
    backordered: dict[str, int] = defaultdict(int)
    for hold in t.holds.values():
        backordered[hold["level_id"]] += hold["backordered"]
        for lot_id, units in hold["allocations"]:
            reserved[hold["level_id"], lot_id] += units
    for key in reserved.keys() | t.lot_stocks.keys():
        here = t.lot_stocks.get(key, {"reserved": 0})["reserved"]
        if here != reserved[key]:
            wrong.append(f"lot {key[1]} of {t.name(key[0])}: reserved {here}, its allocations are {reserved[key]}")
    for level_id, level in t.levels.items():
        if level["backordered"] != backordered[level_id]:
            wrong.append(f"level {t.name(level_id)}: backordered {level['backordered']}, holds {backordered[level_id]}")
    return wrong


def _ledger_tells_the_same(t: Tables) -> list[str]:
    wrong: list[str] = []
    balance: dict[str, tuple[int, int, int, int, int]] = {}
    lots: dict[tuple[str, str | None], list[int]] = defaultdict(lambda: [0, 0, 0])
    holds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in t.ledger:
        before = balance.get(line["level_id"], (0, 0, 0, 0, 0))
        due = (
            before[0] + 1,
            before[1] + line["qty_delta"],
            before[2] + line["reserved_delta"],
            before[3] + line["backordered_delta"],
        )
        stands = (line["seq"], line["balance_after"], line["reserved_after"], line["backordered_after"])
        if due != stands:
            wrong.append(f"ledger of {t.name(line['level_id'])}: {stands}, should be {due}")
        if line["created_at"] < before[4]:
            wrong.append(f"ledger of {t.name(line['level_id'])}: time runs backwards at {line['seq']}")
        balance[line["level_id"]] = (*stands, line["created_at"])
        wrong += _line_is_sane(t, line)
        sums = lots[line["level_id"], line["lot_id"]]
        for index, field in enumerate(("qty_delta", "reserved_delta", "value_delta")):
            sums[index] += line[field]
        if line["reservation_id"] is not None:
            holds[line["reservation_id"]][0] += line["reserved_delta"]
            holds[line["reservation_id"]][1] += line["backordered_delta"]
    for level_id, level in t.levels.items():
        last = balance.get(level_id, (0, 0, 0, 0, 0))[:4]
        now = (level["seq"], level["on_hand"], level["reserved"], level["backordered"])
        if last != now:
            wrong.append(f"level {t.name(level_id)}: {now}, its ledger ends at {last}")
    for (level_id, lot_id), sums in lots.items():
        at = t.lot_stocks.get((level_id, lot_id or ""), {"on_hand": 0, "reserved": 0, "value": 0})
        if sums != [at["on_hand"], at["reserved"], at["value"]]:
            wrong.append(f"lot {lot_id} of {t.name(level_id)}: ledger {sums}, lot {at}")
    for hold_id, hold in t.holds.items():
        told = holds[hold_id]
        if told != [sum(units for _, units in hold["allocations"]), hold["backordered"]]:
            wrong.append(f"hold {hold['order_number'] or hold_id}: its ledger lines leave {told}: {hold}")
    return wrong


def _line_is_sane(t: Tables, line: dict[str, Any]) -> list[str]:
    wrong = []
    what = f"ledger of {t.name(line['level_id'])} line {line['seq']} {line['ref_type']}"
    if line["ref_type"] not in OUTWARD | INWARD:
        wrong.append(f"{what}: unknown")
    if line["ref_type"] in INWARD and (line["qty_delta"] or line["value_delta"]):
        wrong.append(f"{what}: moves units or value")
    if line["ref_type"] in OUTWARD - {"SALE"} and (line["reserved_delta"] or line["backordered_delta"]):
        wrong.append(f"{what}: moves promises")
    back = line["ref_type"] == "SALE" and line["reason"] == "reverted"  # a shipment that was taken back
    if line["ref_type"] == "SALE" and (
        (line["qty_delta"] >= 0) != back or line["reserved_delta"] not in (0, line["qty_delta"])
    ):
        wrong.append(f"{what}: {line['qty_delta']} units, {line['reserved_delta']} reserved")
    if line["ref_type"] in OUTWARD and line["qty_delta"] == 0:
        wrong.append(f"{what}: moves nothing")
    if line["lot_id"] is None and (line["qty_delta"] or line["reserved_delta"]):
        wrong.append(f"{what}: units without a lot")
    if not line["actor"]:
        wrong.append(f"{what}: nobody did it")
    return wrong


def _value_is_never_lost(t: Tables) -> list[str]:
    """Moving between places neither makes nor loses units or value, lot by lot."""
    moved: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in t.ledger:
        if line["ref_type"] in ("TRANSFER", "EXPIRY"):
            moved[line["lot_id"]][0] += line["qty_delta"]
            moved[line["lot_id"]][1] += line["value_delta"]
    return [f"lot {t.lots[lot]['code']}: moving it made {made}" for lot, made in moved.items() if made != [0, 0]]


def _the_road_is_its_transfers(t: Tables) -> list[str]:
    """What lies at transit is what transfers have shipped and not brought in, lost or sent back, lot by lot."""
    left: dict[str, int] = defaultdict(int)
    for transfer in t.transfers:
        lots = json.loads(transfer["lots"]) if isinstance(transfer["lots"], str) else transfer["lots"]
        for lot in lots if transfer["status"] == "shipped" else ():
            left[lot["lot_id"]] += lot["units"] - (lot["received"] or 0) - lot["lost"] - lot["sent_back"]
    for (level_id, lot_id), at in t.lot_stocks.items():
        if t.locations[t.levels[level_id]["location_id"]]["kind"] == "transit":
            left[lot_id] -= at["on_hand"]
    return [
        f"lot {t.lots[lot]['code']}: transfers have {units} more than the road" for lot, units in left.items() if units
    ]


def _nobody_is_overtaken(t: Tables, shop: Shop) -> list[str]:
    """While units are free that could serve a waiting hold, nobody waits."""
    now = max((line["created_at"] for line in t.ledger), default=0)
    free: dict[str, dict[str, int]] = defaultdict(dict)
    for (level_id, lot_id), at in t.lot_stocks.items():
        if at["on_hand"] > at["reserved"] and (at["sellable_until"] is None or at["sellable_until"] > now):
            free[level_id][lot_id] = at["on_hand"] - at["reserved"]
    wrong = []
    for hold in t.holds.values():
        useful = dict(free[hold["level_id"]])
        if hold["served_from"] is not None:
            useful |= _free_elsewhere(t, hold, free)
        alive = hold["expires_at"] is None or hold["expires_at"] > now
        if hold["backordered"] and alive and (useful if hold["lot_id"] is None else hold["lot_id"] in useful):
            wrong.append(f"hold {hold['order_number']} waits for {hold['backordered']} beside free {useful}")
    return wrong


def _free_elsewhere(t: Tables, hold: dict[str, Any], free: dict[str, dict[str, int]]) -> dict[str, int]:
    """Free units of other places that may serve the hold: all of them, or, as it is not split, those of one place that
    backs all of a direct hold."""
    found: dict[str, int] = {}
    for level_id, level in t.levels.items():
        place = t.locations[level["location_id"]]
        reach = hold["served_from"]
        here = reach == "everywhere" or (place["ships_online"] if reach == "online" else place["store_id"] in reach)
        if not here or level["product_id"] != hold["product_id"] or level_id == hold["level_id"]:
            continue
        if not place["active"] or not t.sellable(level_id):
            continue
        open_units = hold["quantity"] - hold["consumed"] - hold["released"]
        if hold["sale_line_id"] is not None or sum(free[level_id].values()) >= open_units:
            found |= free[level_id]
    return found


def _recalled_lots_are_off_the_shelf(t: Tables) -> list[str]:
    return [
        f"recalled lot {t.lots[lot_id]['code']} is for sale at {t.name(level_id)}"
        for (level_id, lot_id), at in t.lot_stocks.items()
        if at["on_hand"] and t.lots[lot_id]["status"] == "quarantined" and t.sellable(level_id)
    ]
