"""The demo's shop: real commands, true books, the same every time, and customers who come in."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import sqlalchemy as sa

from holdfast.app import Holdfast
from holdfast.check import check
from holdfast.db import schema
from holdfast.db.bulk import level_rows
from holdfast.demo import make, remembered, run_traffic
from holdfast.demo.goods import PRODUCTS, check_digit
from holdfast.demo.tills import DAYS, ORDERS_A_DAY
from holdfast.import_export.cells import gtin_cell


def test_the_goods_have_right_numbers() -> None:
    numbers = [fields["gtin"] for fields in PRODUCTS if "gtin" in fields]

    assert len(set(numbers)) == len(numbers) > 150
    assert len({fields["sku"] for fields in PRODUCTS}) == len(PRODUCTS)
    assert all(gtin_cell("gtin", number) == number and number.startswith("20") for number in numbers)
    assert check_digit("400638133393") == "1"


def test_two_demos_are_alike_and_have_something_of_everything(tmp_path: Path) -> None:
    pictures = []
    for name in ("one", "two"):
        with Holdfast.open(f"sqlite:///{tmp_path / name}.db") as shop:
            made = make(shop)
            pictures.append(list(level_rows(shop.database, made.org_id)))
            with shop.database.reading() as connection:
                sources = set(connection.scalars(sa.select(schema.reservation.c.source)))
                waiting = connection.scalar(sa.select(sa.func.sum(schema.reservation.c.backordered)))
                recalled = connection.scalars(sa.select(schema.lot.c.status)).all().count("quarantined")
                drafts = connection.scalars(sa.select(schema.count_sheet.c.status)).all().count("draft")
                shipped = connection.scalars(sa.select(schema.transfer.c.status)).all()
                session, sale, card = schema.register_session.c, schema.sale.c, schema.gift_card.c
                drawers = connection.execute(sa.select(session.status, session.counted_cash)).all()
                sales = connection.execute(sa.select(sale.status, sale.ordered_at)).all()
                cards = connection.scalars(sa.select(card.balance).order_by(card.code)).all()
            assert sources >= {"shopify", "amazon", "etsy", "woocommerce", "pos"}
            assert sorted(status for status, _ in drawers) == ["closed", "closed", "open", "open"]
            assert sum(status == "suspended" for status, _ in sales) == 5
            assert sum(at is not None for _, at in sales) == DAYS * ORDERS_A_DAY
            assert cards == [1900, 5000, 10000]
            assert check(shop.database).mismatches == []
            assert waiting and recalled == 1 and drafts == 1 and shipped == ["shipped"]
            again = remembered(shop)
            assert again is not None and again.org_id == made.org_id and again.api_key != made.api_key

    assert pictures[0] == pictures[1]


def test_customers_come_in_until_they_are_told_to_stop(tmp_path: Path) -> None:
    with Holdfast.open(f"sqlite:///{tmp_path / 'demo.db'}") as shop:
        made = make(shop)
        stop = threading.Event()
        accepted: list[int] = []
        customers = threading.Thread(target=lambda: accepted.append(run_traffic(shop, made.actor, stop, 200.0)))
        customers.start()
        time.sleep(1.0)
        stop.set()
        customers.join(timeout=20)

        assert accepted and accepted[0] > 10
