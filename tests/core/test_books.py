"""What each command posts to the books, with worked numbers, and that the books are the stock.

See docs/how-to/books.md.
"""

from __future__ import annotations

import itertools
import tempfile
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.access import Role, may
from holdfast.check import check
from holdfast.core.organisation.periods import AddAccount, ClosePeriod, RenameAccount
from holdfast.core.organisation.places import ChangeStore
from holdfast.core.organisation.settings import AddRegister
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume, Reserve, Target
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import CloseSession, MoveCash, OpenSession
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.count_sheet import Count, CountLine
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, TransferLine
from holdfast.db.organisations import clock
from holdfast.db.queries import valuation
from holdfast.db.upkeep.day_ends import keep_day_ends
from holdfast.executor import transaction
from tests.core.books import balances, entries_of
from tests.core.scene import Scene
from tests.shop import DAY, Clock, Shop, open_shop, quick_sqlite

TODAY = "2027-01-15"
"""Where the clock of a scene begins."""


@pytest.fixture
def mugs(scene: Scene) -> Scene:
    """Ten mugs at 3.50, sold for 9.90, and an empty journal behind them."""
    scene.product("MUG-1", price=990)
    scene.given("MUG-1 MAIN A 10 @3.50")
    return scene


def posted(scene: Scene) -> dict[str, int]:
    """What the last command posted."""
    return entries_of(scene.shop)[-1]


# What is posted ------------------------------------------------------------------------------------------------------


def test_a_receipt_is_owed_to_whoever_sent_it(mugs: Scene) -> None:
    assert posted(mugs) == {"1200": 3500, "2000": -3500}


def test_opening_stock_is_the_owners(mugs: Scene) -> None:
    mugs.do(Receive("MAIN", (ReceiptLine("MUG-1", 2, "3.50"),), "opening"))

    assert posted(mugs) == {"1200": 700, "3000": -700}


def test_a_sale_earns_and_costs(mugs: Scene) -> None:
    sold = mugs.do(OpenSale(lines=(LineRequest("MUG-1", 2),)))
    assert len(entries_of(mugs.shop)) == 1, "a hold posts nothing"

    mugs.do(CompleteSale(sold.id, (PaymentRequest("cash", "10.00"), PaymentRequest("card", "9.80"))))

    assert posted(mugs) == {"1000": 1000, "1100": 980, "1200": -700, "4000": -1980, "5000": 700}


def test_a_hold_that_is_fulfilled_by_itself_posts_its_cost_only(mugs: Scene) -> None:
    mugs.given("101  2 MUG-1 MAIN")

    mugs.do(Consume(mugs.hold("101")))

    assert posted(mugs) == {"1200": -700, "5000": 700}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("good", {"1000": -990, "1200": 350, "4100": 990, "5000": -350}),
        ("damaged", {"1000": -990, "4100": 990, "5000": -350, "5100": 350}),
        ("none", {"1000": -990, "4100": 990}),
    ],
)
def test_a_return_reverses_the_cost_it_took(mugs: Scene, condition: str, expected: dict[str, int]) -> None:
    sold = mugs.do(OpenSale(lines=(LineRequest("MUG-1", 2),)))
    sold = mugs.do(CompleteSale(sold.id, (PaymentRequest("cash", "19.80"),)))

    mugs.do(ReturnSale(sold.id, (ReturnedLine(sold.lines[0].id, 1, condition),), "cash"))

    assert posted(mugs) == expected


def test_a_return_without_a_sale_comes_in_at_the_last_cost(mugs: Scene) -> None:
    mugs.do(ReturnBlind(mugs.shop.stores["MAIN"], (BlindLine("MUG-1", 1, "5.00"),), "card"))

    assert posted(mugs) == {"1100": -500, "1200": 350, "4100": 500, "5000": -350}


def test_what_is_missing_or_found_is_shrinkage(mugs: Scene) -> None:
    mugs.do(Count("MAIN", (CountLine("MUG-1", 8),)))
    assert posted(mugs) == {"1200": -700, "5100": 700}

    mugs.do(AdjustStock("MUG-1", "MAIN", 1))
    assert posted(mugs) == {"1200": 350, "5100": -350}

    mugs.do(SetStock("MUG-1", "MAIN", 4))
    assert posted(mugs) == {"1200": -1750, "5100": 1750}


def test_a_recall_posts_nothing_and_a_write_off_its_loss(mugs: Scene) -> None:
    mugs.do(Quarantine(mugs.lot("A"), "cracks"))
    assert len(entries_of(mugs.shop)) == 1

    mugs.do(WriteOff(mugs.lot("A"), "MAIN-QUARANTINE", 4, "broken"))
    assert posted(mugs) == {"1200": -1400, "5100": 1400}


def test_goods_on_the_road_stay_inventory_and_what_is_lost_there_is_shrinkage(mugs: Scene) -> None:
    sent = mugs.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 4),)))
    assert len(entries_of(mugs.shop)) == 1

    mugs.do(ReceiveTransfer(sent.id, (TransferLine("MUG-1", 3),), short=True))
    assert posted(mugs) == {"1200": -350, "5100": 350}


def test_an_entry_names_the_movements_it_books(mugs: Scene) -> None:
    entry = mugs.shop.holdfast.reports.journal(mugs.shop.org_id).items[0]

    assert entry["ledger_ids"] == [line["id"] for line in mugs.ledger("RECEIPT")]
    assert (entry["ref_type"], entry["ref_id"]) == ("RECEIPT", mugs.ledger("RECEIPT")[0]["ref_id"])
    assert [(line["account"], line["debit"], line["credit"]) for line in entry["lines"]] == [
        ("1200", "35.00", "0.00"),
        ("2000", "0.00", "35.00"),
    ]


# Accounts and periods ------------------------------------------------------------------------------------------------


def test_accounts_are_added_and_renamed_but_never_lost(mugs: Scene) -> None:
    mugs.do(AddAccount("6000", "Rent"))
    mugs.do(RenameAccount("1200", "Goods"))

    assert mugs.shop.refused(AddAccount("6000", "Again")).code == "ALREADY_EXISTS"
    assert mugs.shop.refused(AddAccount("1000", "Again")).code == "ALREADY_EXISTS"
    assert mugs.shop.refused(AddAccount("06", "Short")).code == "INVALID_REQUEST"
    assert mugs.shop.refused(RenameAccount("7000", "Nobody")).code == "NOT_FOUND"
    names = {row["code"]: row["name"] for row in mugs.shop.holdfast.reports.accounts(mugs.shop.org_id).items}
    assert (names["1200"], names["6000"], names["1000"]) == ("Goods", "Rent", "Cash")


def test_nothing_posts_into_a_closed_period(mugs: Scene) -> None:
    mugs.do(ClosePeriod(TODAY))
    mugs.given("MUG-1 MAIN B 1 @4.00")
    mugs.pass_(DAY // 1_000_000)
    mugs.given("MUG-1 MAIN C 1 @5.00")

    days = [row["day"] for row in mugs.shop.rows("SELECT day FROM journal_entry ORDER BY id")]
    assert days == [TODAY, "2027-01-16", "2027-01-16"]
    reports, org = mugs.shop.holdfast.reports, mugs.shop.org_id
    assert balance(reports.trial_balance(org, as_of=TODAY)) == "35.00"
    assert balance(reports.trial_balance(org, as_of="2027-01-14")) == "0.00"
    assert balance(reports.trial_balance(org, as_of="2027-01-16")) == "44.00"
    assert balance(reports.trial_balance(org)) == "44.00"


def balance(found: Any, account: str = "1200") -> str:
    """The balance of an account in a trial balance."""
    assert found["total_debit"] == found["total_credit"]
    return next(row["balance"] for row in found["items"] if row["account"] == account)


def test_a_period_is_closed_forward_and_never_ahead(mugs: Scene) -> None:
    assert mugs.shop.refused(ClosePeriod("2027-01-16")).code == "INVALID_STATE"
    mugs.do(ClosePeriod("2027-01-14"))
    assert mugs.shop.refused(ClosePeriod("2027-01-14")).code == "INVALID_STATE"
    assert mugs.shop.refused(ClosePeriod("2027-01-01")).code == "INVALID_STATE"
    mugs.do(ClosePeriod(TODAY))

    assert [event["data"]["through"] for event in mugs.events("PeriodClosed")] == ["2027-01-14", TODAY]
    closes = mugs.shop.holdfast.reports.periods(mugs.shop.org_id).items
    assert [close["through"] for close in closes] == [TODAY, "2027-01-14"]


def test_only_who_configures_the_organisation_closes(mugs: Scene) -> None:
    assert not may(mugs.shop.manager, ClosePeriod(TODAY))
    assert may(mugs.shop.owner, ClosePeriod(TODAY))
    assert may(mugs.shop.manager, RenameAccount("1000", "Drawer"))
    assert not may(mugs.shop.staff, RenameAccount("1000", "Drawer"))
    assert mugs.shop.owner.role is Role.OWNER


def test_a_close_and_facts_in_the_same_batch_agree(scene_anywhere: Scene) -> None:
    """Whatever comes together: no fact posts into what is closed, and the close knows what came before it."""
    shop = scene_anywhere.shop
    scene_anywhere.product("MUG-1", price=990)
    yesterday = (date.today() - timedelta(days=1)).isoformat()  # noqa: DTZ011 - any day that is over will do
    commands = [Receive("MAIN", (ReceiptLine("MUG-1", 1, "1.00"),))] * 10
    waiting = [shop.holdfast.submit(shop.owner, command) for command in [*commands, ClosePeriod(yesterday), *commands]]
    assert not any(isinstance(one.result().answer, Rejected) for one in waiting)

    assert check(shop.holdfast.database).mismatches == []


# The past ------------------------------------------------------------------------------------------------------------


def test_what_the_stock_was_worth(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    reports, org = scene.shop.holdfast.reports, scene.shop.org_id
    told: list[tuple[int, Any]] = [(clock(scene.shop.holdfast.database), ("0.00", set()))]

    def remember() -> None:
        told.append((clock(scene.shop.holdfast.database), _worth(reports.valuation(org))))

    scene.given("MUG-1 MAIN A 10 @3.50")
    remember()
    scene.given("MUG-1 EAST B 2 @4.00")
    remember()
    scene.do(Count("MAIN", (CountLine("MUG-1", 3),)))
    remember()
    scene.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)))
    remember()
    scene.do(SetStock("MUG-1", "EAST", 0))
    remember()

    assert [_worth(reports.valuation(org, as_of=at)) for at, _ in told] == [worth for _, worth in told]
    assert told[1][1] == ("35.00", {("A", "MAIN", 10, "35.00")})
    assert told[-1][1][0] == "14.50"
    assert reports.valuation(org, as_of="2020-01-31")["total"] == "0.00"
    assert _worth(reports.valuation(org, as_of="2099-12-31")) == told[-1][1]


def _worth(found: Any) -> tuple[str, set[tuple[Any, ...]]]:
    items = {(row["lot_code"], row["location"], row["on_hand"], row["value"]) for row in found["items"]}
    return found["total"], items


def test_what_came_later_costs_the_past_no_pages(scene_anywhere: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valuation, "LOTS_CHUNK", 1)
    monkeypatch.setattr(valuation, "SCAN_MAX", 2)
    scene = scene_anywhere
    before = clock(scene.shop.holdfast.database)
    scene.given("MUG-1 MAIN A 1 @3.50, B 1 @3.50, C 1 @3.50, D 1 @3.50, E 1 @3.50")
    found = scene.shop.holdfast.reports.valuation(scene.shop.org_id, as_of=before)

    assert (found["total"], found["items"], found["next_cursor"]) == ("0.00", [], None)


def test_a_page_of_the_past_goes_on(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    scene.given("MUG-1 MAIN A 10 @3.50")
    scene.given("MUG-1 EAST B 2 @4.00, C 1 @1.00")
    at = clock(scene.shop.holdfast.database)
    scene.do(SetStock("MUG-1", "EAST", 0))
    for as_of, expected in ((at, 3), (None, 1)):
        seen: list[str] = []
        cursor = None
        while True:
            page = scene.shop.holdfast.reports.valuation(scene.shop.org_id, as_of=as_of, cursor=cursor, limit=1)
            seen += [row["lot_code"] for row in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == expected


_NUMBERS = itertools.count(1)


@pytest.fixture
def dated(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Ids are of the scene's time, as they are in life: reads of the past use them to search less."""

    def made() -> str:
        return str(uuid.UUID(f"{clock.now // 1000:012x}7{0:03x}8{next(_NUMBERS):015x}"))

    monkeypatch.setattr(transaction.uuid_utils, "uuid7", made)


def _tie(scene: Scene, *days: str) -> list[str]:
    """The inventory account as of each day, which is what the lots of that day are worth."""
    reports, org = scene.shop.holdfast.reports, scene.shop.org_id
    told = []
    for day in days:
        valued = reports.valuation(org, as_of=day, limit=200)
        lots = sum(Decimal(item["value"]) for item in valued["items"])
        assert f"{lots:.2f}" == valued["total"] == balance(reports.trial_balance(org, as_of=day)), day
        told.append(valued["total"])
    return told


@pytest.mark.usefixtures("dated")
def test_the_stock_of_a_day_that_was_closed_early_is_what_was_posted_on_it(mugs: Scene) -> None:
    mugs.do(ClosePeriod(TODAY))
    mugs.pass_(1)
    mugs.given("MUG-1 MAIN B 1 @4.00")
    mugs.do(SetStock("MUG-1", "MAIN", 7))
    mugs.do(Dispatch("MAIN", "EAST", (TransferLine("MUG-1", 2),)))
    mugs.pass_(3600)
    assert _tie(mugs, "2027-01-14", TODAY, "2027-01-16", "2027-01-17") == ["0.00", "35.00", "25.00", "25.00"]

    mugs.pass_(DAY // 1_000_000)
    mugs.given("MUG-1 EAST C 3 @1.00")
    mugs.do(ClosePeriod("2027-01-16"))
    mugs.given("MUG-1 EAST D 1 @100.00")
    days = ("2027-01-14", TODAY, "2027-01-16", "2027-01-17", "2030-01-01")
    assert _tie(mugs, *days) == ["0.00", "35.00", "28.00", "128.00", "128.00"]


def test_the_stock_of_a_day_that_was_closed_between_two_facts_of_a_batch(scene_anywhere: Scene) -> None:
    shop, today = scene_anywhere.shop, datetime.now(UTC).date()
    scene_anywhere.product("MUG-1", price=990)
    received = [Receive("MAIN", (ReceiptLine("MUG-1", 1, "1.00"),))] * 10
    commands = [*received[:1], *received, ClosePeriod(today.isoformat()), *received[:5]]
    for one in [shop.holdfast.submit(shop.owner, command) for command in commands]:
        assert not isinstance(one.result().answer, Rejected)

    days = [(today + timedelta(days=more)).isoformat() for more in (-1, 0, 1)]
    assert _tie(scene_anywhere, *days) == ["0.00", "11.00", "16.00"]


@pytest.mark.usefixtures("dated")
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Asia/Tokyo", "UTC"])
def test_the_stock_of_a_day_when_the_calendar_moved_on(mugs: Scene, timezone: str) -> None:
    """To the east: the rest of the day is the next one's."""
    mugs.given("MUG-1 MAIN B 1 @4.00")
    mugs.pass_(3600)
    _move(mugs, MAIN=timezone, EAST=timezone)
    mugs.given("MUG-1 MAIN C 1 @5.00")
    for _ in range(3):
        mugs.pass_(DAY // 2_000_000)
        mugs.given("MUG-1 MAIN ~ 1 @1.00")

    told = _tie(mugs, *(f"2027-01-{day}" for day in range(13, 20)))
    assert (told[0], told[-1]) == ("0.00", "47.00")


# The day is the store's ----------------------------------------------------------------------------------------------


def _move(scene: Scene, **zones: str) -> None:
    """Stores have other time zones from now on."""
    for code, zone in zones.items():
        scene.do(ChangeStore(scene.shop.stores[code], timezone=zone))


def _days(scene: Scene) -> dict[str, list[str]]:
    """The accounting days of the entries by what they are of, in the order in which they were made."""
    found: dict[str, list[str]] = {}
    for row in scene.shop.rows("SELECT ref_type, day FROM journal_entry ORDER BY id"):
        found.setdefault(row["ref_type"], []).append(row["day"])
    return found


TOMORROW = "2027-01-16"


@pytest.fixture
def evening(scene: Scene) -> Scene:
    """17:21 UTC: in the store EAST (+14) it is tomorrow already, in MAIN (-10) and for the organisation (UTC) today."""
    scene.product("MUG-1", price=990)
    _move(scene, EAST="Pacific/Kiritimati", MAIN="Pacific/Honolulu")
    scene.pass_(9 * 3600 + 21 * 60)
    return scene


def test_what_happens_in_a_store_is_posted_on_its_day(evening: Scene) -> None:
    """A sale at 17:21 UTC in a store at +14 belongs to the next day."""
    shop = evening.shop
    evening.given("MUG-1 EAST A 10 @3.50")
    evening.do(SetStock("MUG-1", "EAST", 9))
    evening.do(Count("EAST", (CountLine("MUG-1", 8),)))
    sale = evening.do(
        Checkout(shop.stores["EAST"], (LineRequest("MUG-1", 2),), payments=(PaymentRequest("cash", "19.80"),))
    )
    evening.do(ReturnSale(sale.id, (ReturnedLine(sale.lines[0].id, 1),), "card"))
    register = evening.do(AddRegister(store_id=shop.stores["EAST"], code="TILL-1"))
    session = evening.do(OpenSession(register.id, "10.00", "hash", "bo"))
    till = msgspec.structs.replace(shop.owner, session_id=session.id)
    evening.do(MoveCash("out", "1.00", "cleaner", "5100"), actor=till)
    evening.do(CloseSession("8.00"), actor=till)
    kinds = ("RECEIPT", "ADJUSTMENT", "COUNT", "SALE", "RETURN", "CASH", "REGISTER")
    assert _days(evening) == {kind: [TOMORROW] for kind in kinds}
    evening.given("MUG-1 MAIN B 1 @3.50")
    assert _days(evening)["RECEIPT"] == [TOMORROW, TODAY]


def test_a_sale_without_a_store_is_of_the_store_that_has_its_goods(evening: Scene) -> None:
    """With goods of several stores, or none, it is on the organisation's day."""
    evening.shop.settings(timezone="Asia/Tokyo")  # tomorrow as well
    evening.product("SONG-1", price=500, kind="digital")
    evening.given("""
        MUG-1 EAST A 2 @3.50
        MUG-1 MAIN B 3 @3.50
    """)
    for lines in ([("MUG-1", 1)], [("MUG-1", 2)], [("SONG-1", 1)], [("MUG-1", 2)]):
        sale = evening.do(OpenSale(lines=tuple(LineRequest(sku, units) for sku, units in lines)))
        assert sale.store_id is None
        evening.do(CompleteSale(sale.id))
    places = [row["code"] for row in evening.shop.rows(_SOLD_AT)]
    days = _days(evening)["SALE"]
    assert places == ["EAST", "MAIN", "EAST", "MAIN"]
    assert days == [TOMORROW, TODAY, TOMORROW, TOMORROW]


_SOLD_AT = "SELECT l.code FROM ledger e JOIN location l ON l.id = e.location_id WHERE e.ref_type = 'SALE' ORDER BY e.id"


def test_goods_in_several_stores_are_one_entry_a_store(evening: Scene) -> None:
    evening.given("MUG-1 EAST A 2 @3.50")
    sent = evening.do(Dispatch("EAST", "MAIN", (TransferLine("MUG-1", 1),)))
    evening.do(ReceiveTransfer(sent.id))
    evening.do(Quarantine(evening.lot("A"), "cracks"))
    evening.do(WriteOff(evening.lot("A"), reason="cracks"))
    assert sorted(_days(evening)["ADJUSTMENT"]) == [TODAY, TOMORROW]
    assert check(evening.shop.holdfast.database).mismatches == []


@pytest.mark.usefixtures("dated")
def test_a_close_while_a_store_has_tomorrow_already(evening: Scene) -> None:
    """Nothing posts on the closed day or before it: neither where it is still that day, nor later on."""
    evening.given("MUG-1 EAST A 10 @3.50")
    evening.given("MUG-1 MAIN B 1 @1.00")
    assert evening.shop.refused(ClosePeriod(TOMORROW)).code == "INVALID_STATE"
    evening.do(ClosePeriod(TODAY))
    evening.pass_(1)
    evening.given("MUG-1 MAIN C 1 @2.00")
    evening.given("MUG-1 EAST D 1 @4.00")
    assert _days(evening)["RECEIPT"] == [TOMORROW, TODAY, TOMORROW, TOMORROW]
    assert _tie(evening, "2027-01-14", TODAY, TOMORROW) == ["0.00", "1.00", "42.00"]
    evening.pass_(20 * 3600)
    evening.given("MUG-1 EAST E 1 @8.00")
    assert _tie(evening, TODAY, TOMORROW, "2027-01-17") == ["1.00", "42.00", "50.00"]
    assert check(evening.shop.holdfast.database).mismatches == []


@pytest.mark.usefixtures("dated")
def test_the_stock_of_a_day_that_ends_at_several_instants(evening: Scene) -> None:
    evening.given("""
        MUG-1 EAST A 10 @3.50
        MUG-1 MAIN B 10 @1.00
    """)
    for _ in range(6):
        evening.pass_(7 * 3600)
        evening.do(AdjustStock("MUG-1", "EAST", -1))
        evening.do(AdjustStock("MUG-1", "MAIN", 1, unit_cost="2.00"))
    told = _tie(evening, *(f"2027-01-{day}" for day in range(14, 20)))
    assert told[0] == "0.00" and told[-1] == "36.00" and len(set(told)) == 5


def test_days_of_stores_on_both_databases(scene_anywhere: Scene) -> None:
    scene = scene_anywhere
    _move(scene, EAST="Pacific/Kiritimati", MAIN="Pacific/Pago_Pago")
    scene.given("""
        MUG-1 EAST A 10 @3.50
        MUG-1 MAIN B 10 @1.00
    """)
    scene.do(AdjustStock("MUG-1", "EAST", -1))
    days = [(datetime.now(UTC).date() + timedelta(days=more)).isoformat() for more in range(-3, 3)]
    told = _tie(scene, *days)
    assert (told[0], told[-1]) == ("0.00", "41.50") and "10.00" in told
    assert len(set(_days(scene)["RECEIPT"])) == 2


def test_days_are_added_up_when_they_are_over_everywhere(evening: Scene) -> None:
    """A store in the west still posts on the day while it is over in the organisation."""
    database = evening.shop.holdfast.database
    evening.given("MUG-1 MAIN B 1 @1.00")
    evening.pass_(12 * 3600)
    keep_day_ends(database, evening.now)
    assert [row["id"] for row in evening.shop.rows("SELECT id FROM day_end")] == ["2027-01-14"]
    evening.given("MUG-1 MAIN C 1 @2.00")
    evening.pass_(6 * 3600)
    keep_day_ends(database, evening.now)
    assert {row["id"] for row in evening.shop.rows("SELECT id FROM day_end")} == {"2027-01-14", TODAY}
    assert _tie(evening, TODAY) == ["3.00"]
    assert check(database).mismatches == []


# Books are stock -----------------------------------------------------------------------------------------------------

UNITS = st.integers(1, 5)
PLACES = st.sampled_from(["MAIN", "EAST"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), PLACES, UNITS, st.sampled_from([None, "0.00", "0.333333", "3.50", "7.01"])),
        st.tuples(st.just("sell"), PLACES, UNITS),
        st.tuples(st.just("order"), PLACES, UNITS),
        st.tuples(st.just("return"), st.sampled_from(["good", "damaged", "none"]), UNITS),
        st.tuples(st.just("blind"), PLACES, UNITS),
        st.tuples(st.just("count"), PLACES, st.integers(0, 12)),
        st.tuples(st.just("adjust"), PLACES, st.integers(-4, 4).filter(bool)),
        st.tuples(st.just("transfer"), PLACES, UNITS, st.integers(0, 5)),
        st.tuples(st.just("recall"), st.integers(0, 3)),
        st.tuples(st.just("release_from_quarantine"), st.integers(0, 3)),
        st.tuples(st.just("write off"), st.integers(0, 3)),
        st.tuples(st.just("consume"), PLACES, UNITS),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTS)
def test_the_books_are_the_stock_whatever_happens(acts: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder, quick_sqlite(), open_shop(f"sqlite:///{folder}/shop.db") as shop:
        shop.settings(cash_rounding="0.05")
        shop.product("MUG-1", price=993, oversell="backorder")
        for act in acts:
            _happen(shop, *act)
        lots = sum(row["value"] for row in shop.rows("SELECT value FROM lot_stock"))
        assert balances(shop).get("1200", 0) == lots
        assert check(shop.holdfast.database).mismatches == []


def _happen(shop: Shop, kind: str, *how: Any) -> None:
    """Try something; refusals are part of life."""
    other = {"MAIN": "EAST", "EAST": "MAIN"}
    lots = [row["id"] for row in shop.rows("SELECT id FROM lot ORDER BY id")]
    if kind == "receive":
        shop.do(Receive(how[0], (ReceiptLine("MUG-1", how[1], how[2]),)))
    elif kind == "sell":
        paid = (PaymentRequest("cash", "100.00"),)
        sale = shop.do(OpenSale(shop.stores[how[0]], lines=(LineRequest("MUG-1", how[1]),)))
        if not isinstance(sale, Rejected):
            shop.do(CompleteSale(sale.id, paid))
    elif kind == "order":
        shop.do(
            Checkout(shop.stores[how[0]], (LineRequest("MUG-1", how[1]),), payments=(PaymentRequest("card", "9.93"),))
        )
    elif kind == "return":
        for line in shop.rows("SELECT id, sale_id FROM sale_line ORDER BY id DESC")[:1]:
            shop.do(ReturnSale(line["sale_id"], (ReturnedLine(line["id"], how[1], how[0]),), "cash"))
    elif kind == "blind":
        shop.do(ReturnBlind(shop.stores[how[0]], (BlindLine("MUG-1", how[1], "9.00"),), "cash"))
    elif kind == "count":
        shop.do(Count(how[0], (CountLine("MUG-1", how[1]),)))
    elif kind == "adjust":
        shop.do(AdjustStock("MUG-1", how[0], how[1]))
    elif kind == "transfer":
        sent = shop.do(Dispatch(how[0], other[how[0]], (TransferLine("MUG-1", how[1]),)))
        if not isinstance(sent, Rejected):
            lines = (TransferLine("MUG-1", min(how[2], how[1])),) if how[2] else ()
            shop.do(ReceiveTransfer(sent.id, lines, short=True))
    elif kind == "consume":
        held = shop.do(Reserve("MUG-1", how[1], how[0], Target("1")))
        if not isinstance(held, Rejected):
            shop.do(Consume(held.id))
    elif lots:
        lot_id = lots[how[0] % len(lots)]
        acts = {
            "recall": Quarantine(lot_id, "why not"),
            "release_from_quarantine": ReleaseFromQuarantine(lot_id, "fine"),
            "write off": WriteOff(lot_id, None, None, "gone"),
        }
        shop.do(acts[kind])
