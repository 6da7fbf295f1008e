"""Registers under concurrency: no sale slips past a closing, and a register is open once or not at all."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa

from holdfast.core.organisation.pin import NewPin
from holdfast.core.organisation.places import AddStore, RemoveStore
from holdfast.core.organisation.settings import AddRegister, RemoveRegister
from holdfast.core.organisation.users import AddUser, ChangeUser
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.documents import SaleDocument
from holdfast.core.sales.order_entry import LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.register import CloseSession, MoveCash, OpenSession, SessionDocument
from holdfast.db import schema
from tests.races.stand import Tally, assert_books, do, found, open_shop, refused, rush, stock_up

NIL = "01890000-0000-7000-8000-000000000000"
CASH = (PaymentRequest("cash", "10.00"),)


def _register(shop, actor):
    """A register in the organisation's store: (store id, register id)."""
    store_id = shop.reports.stores(actor.org_id).items[0]["id"]
    return store_id, do(shop, actor, AddRegister(store_id=store_id, code="TILL-1")).id


def _opening(register_id, number=0):
    return OpenSession(register_id, "100.00", f"{number:064d}", "key:race", NIL)


def _till(shop, actor):
    """A till that is open: (store id, register id, who acts at it)."""
    store_id, register_id = _register(shop, actor)
    session = do(shop, actor, _opening(register_id))
    return store_id, register_id, msgspec.structs.replace(actor, stores=(store_id,), session_id=session.id)


def _middle(commands, one):
    half = len(commands) // 2
    return [*commands[:half], one, *commands[half:]]


def _assert_the_report_is_its_sales(shop, actor, till, register_id, outcomes):
    """The Z report says what the sales of the session say, by their rows, and by the books; no sale came later."""
    answers = Tally(outcomes).answers
    report = next(one for one in answers if isinstance(one, SessionDocument))
    sold = {one.id for one in answers if isinstance(one, SaleDocument)}
    with shop.database.reading() as connection:
        sale, posting, entry = schema.sale.c, schema.posting.c, schema.journal_entry.c
        rows = connection.execute(
            sa.select(sale.id, sale.paid, sale.change, sale.completed_at).where(
                sale.session_id == till.session_id, sale.status == "completed"
            )
        ).all()
        booked = connection.execute(
            sa.select(sa.func.sum(posting.amount))
            .join(schema.journal_entry, entry.id == posting.entry_id)
            .where(entry.ref_type == "SALE", posting.account == "1000")
        ).scalar()
        closed_at = connection.execute(sa.select(schema.register_session.c.closed_at)).scalar()
    took = sum(row.paid - row.change for row in rows)

    assert {row.id for row in rows} == sold
    assert max((row.completed_at for row in rows), default=0) <= closed_at
    assert (report.sales, report.cash_sales) == (len(rows), f"{took // 100}.{took % 100:02d}")
    assert (report.totals_by_method.get("cash", "0.00"), booked or 0) == (report.cash_sales, took)
    assert report.over_short == f"-{report.expected_cash}"
    z_report = shop.reports.register_session(actor.org_id, register_id, 1)
    assert z_report == msgspec.to_builtins(report)
    assert_books(shop, actor)
    return report


@pytest.mark.parametrize("doors", [1, 2], ids=["one executor", "two executors"])
def test_a_drawer_is_closed_while_sales_come_in(database_url, doors):
    """300 checkouts at 8.00 paid with 10.00, and in their midst the closing; what came too late has not happened."""
    with open_shop(database_url, batch_max=20) as shop, open_shop(database_url, batch_max=20) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 1000, price=800)
        store_id, register_id, till = _till(shop, actor)
        sales = [Checkout(store_id, (LineRequest("MUG-1", 1),), payments=CASH) for _ in range(300)]

        outcomes = rush([shop, other][:doors], till, _middle(sales, CloseSession("0.00")))

        tally = Tally(outcomes)
        report = _assert_the_report_is_its_sales(shop, actor, till, register_id, outcomes)
        assert (tally.refused, tally.failed) == (
            {"INVALID_STATE": 300 - report.sales} if report.sales < 300 else {},
            [],
        )
        assert 1000 - assert_books(shop, actor).on_hand() == report.sales
        assert refused(shop, till, sales[0]).code == "INVALID_STATE"
        assert refused(shop, till, MoveCash("in", "1.00", "late")).code == "INVALID_STATE"


def test_a_drawer_is_closed_while_carts_are_completed(database_url):
    """Every cart of the till is either paid, and in the report, or in the queue, with its hold."""
    with open_shop(database_url, batch_max=10) as shop, open_shop(database_url, batch_max=10) as other:
        actor = found(shop)
        stock_up(shop, actor, "MUG-1", 100, price=800)
        store_id, register_id, till = _till(shop, actor)
        opening = OpenSale(store_id, None, "pos", None, (LineRequest("MUG-1", 1),), None, ())
        carts = [do(shop, till, opening).id for _ in range(60)]

        outcomes = rush(
            [shop, other], till, _middle([CompleteSale(name, CASH) for name in carts], CloseSession("0.00"))
        )

        report = _assert_the_report_is_its_sales(shop, actor, till, register_id, outcomes)
        assert not Tally(outcomes).failed
        with shop.database.reading() as connection:
            states = [row.status for row in connection.execute(sa.select(schema.sale.c.status))]
        assert (states.count("completed"), states.count("suspended")) == (report.sales, 60 - report.sales)
        books = assert_books(shop, actor)
        assert (books.on_hand(), books.reserved()) == (100 - report.sales, 60 - report.sales)


def test_twenty_openings_and_twenty_closings_at_once(database_url):
    """A register is opened once and closed once, and its reports have no gap."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        _, register_id = _register(shop, actor)
        for number in range(1, 4):
            opened = Tally(rush([shop, other], actor, [_opening(register_id, one) for one in range(20)]))
            assert (opened.accepted, opened.refused, opened.failed) == (1, {"INVALID_STATE": 19}, [])
            session = opened.answers[0]
            assert (session.number, session.status) == (number, "open")

            till = msgspec.structs.replace(actor, session_id=session.id)
            closed = Tally(rush([shop, other], till, [CloseSession("100.00")] * 20))

            assert (closed.accepted, closed.refused, closed.failed) == (1, {"INVALID_STATE": 19}, [])
        assert_books(shop, actor)


@pytest.mark.parametrize("kind", ["register", "store"])
def test_a_till_is_opened_while_it_is_removed(database_url, kind):
    """Whichever comes first: a register that is gone has no open drawer."""
    with open_shop(database_url) as shop, open_shop(database_url) as other:
        actor = found(shop)
        for number in range(12):
            store = do(shop, actor, AddStore(code=f"S{number}", name="Shop"))
            register_id = do(shop, actor, AddRegister(store_id=store.id, code=f"T{number}")).id
            gone = RemoveRegister(register_id) if kind == "register" else RemoveStore(store.id)

            tally = Tally(rush([shop, other], actor, [_opening(register_id, number), gone], threads=2))

            assert tally.accepted == 1 and not tally.failed, (tally.refused, tally.failed)
            register = shop.reports.register(actor.org_id, register_id)
            sessions = shop.reports.register_sessions(actor.org_id, register_id).items
            assert register["active"] == bool(sessions)


def test_a_pin_is_given_to_one_of_those_who_want_it(database_url):
    """Ten users are given the same PIN at once, by two executors, half of them as they are made."""
    with open_shop(database_url, batch_max=3) as shop, open_shop(database_url, batch_max=3) as other:
        actor = found(shop)
        rest = {"password_hash": "$argon2id$x", "role": "cashier"}
        old = [do(shop, actor, AddUser(email=f"old-{one}@x.example", **rest)).id for one in range(5)]
        pin = {"pin": NewPin(f"{'47' * 32}:{'1' * 32}", 7, "48" * 32)}
        commands = [ChangeUser(name, **pin) for name in old]
        commands += [AddUser(email=f"new-{one}@x.example", **rest, **pin) for one in range(5)]

        tally = Tally(rush([shop, other], actor, commands, threads=10))

        assert (tally.accepted, tally.refused, tally.failed) == (1, {"ALREADY_EXISTS": 9}, [])


def test_cash_is_taken_out_once(database_url):
    """Forty people take 10.00 out of a drawer with 100.00: ten of them do."""
    with open_shop(database_url, batch_max=7) as shop, open_shop(database_url, batch_max=7) as other:
        actor = found(shop)
        _, register_id, till = _till(shop, actor)

        tally = Tally(rush([shop, other], till, [MoveCash("out", "10.00", "mine", "5100")] * 40))

        assert (tally.accepted, tally.refused, tally.failed) == (10, {"INVALID_STATE": 30}, [])
        report = do(shop, till, CloseSession("0.00"))
        assert (report.paid_out, report.expected_cash, report.over_short) == ("100.00", "0.00", "0.00")
        assert shop.reports.register_session(actor.org_id, register_id, 1) == msgspec.to_builtins(report)
        assert_books(shop, actor)
