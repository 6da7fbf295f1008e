"""A checkout as people write it: FastAPI, SQLAlchemy's async ORM, one transaction with SELECT FOR UPDATE a line.

`POST /checkout {"lines": [{"sku_id": 1, "quantity": 1}, ...], "payment": 1234}` answers 201, or 409 when something is
short. Lines are taken in the order of their SKUs, so that no two checkouts can deadlock; the sale, its lines, a ledger
row a line and the payment are inserted in bulk. No taxes, discounts, lots, journal or idempotency: less work than ours.
`POST /checkout_at_once` is the same at its best: one statement locks all of its stock rows.
"""

from __future__ import annotations

import functools
import random
import uuid
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated

import psycopg
import uuid_utils.compat
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Identity, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.load import Measurement, http_load
from benchmarks.yardsticks import schema, textbook_http
from benchmarks.yardsticks.textbook_http import WORKERS, session_of

NAME = "textbook checkout over HTTP: FastAPI, ORM"

PER_LINE, AT_ONCE = "/checkout", "/checkout_at_once"
"""The two endpoints."""

LINES = 5
"""Products of a checkout, each once."""

PRICE = 990
"""Of every product, in minor units."""

UNITS_ON_HAND = 1_000_000_000

TABLES = """
DROP TABLE IF EXISTS payment, stock_ledger, sale_line, sale, shelf;
CREATE TABLE shelf (
    sku_id bigint PRIMARY KEY,
    price bigint NOT NULL,
    on_hand bigint NOT NULL,
    CONSTRAINT never_oversold CHECK (on_hand >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE TABLE sale (
    id uuid PRIMARY KEY,
    total bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sale_line (
    sale_id uuid NOT NULL,
    position int NOT NULL,
    sku_id bigint NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    price bigint NOT NULL,
    PRIMARY KEY (sale_id, position)
);
CREATE TABLE stock_ledger (
    sku_id bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    sale_id uuid NOT NULL,
    change bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sku_id, seq)
);
CREATE TABLE payment (
    id uuid PRIMARY KEY,
    sale_id uuid NOT NULL,
    amount bigint NOT NULL
);
"""


class Base(DeclarativeBase):
    """The yardstick's tables as classes (`TABLES` creates them)."""


class Shelf(Base):
    """What is on hand of a SKU, and its price."""

    __tablename__ = "shelf"
    sku_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    price: Mapped[int] = mapped_column(BigInteger)
    on_hand: Mapped[int] = mapped_column(BigInteger)


class Sale(Base):
    """What was sold together."""

    __tablename__ = "sale"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)


class SaleLine(Base):
    """A product of a sale."""

    __tablename__ = "sale_line"
    sale_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sku_id: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[int] = mapped_column(BigInteger)
    price: Mapped[int] = mapped_column(BigInteger)


class LedgerEntry(Base):
    """A change of the shelf, with its cause."""

    __tablename__ = "stock_ledger"
    sku_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    sale_id: Mapped[uuid.UUID]
    change: Mapped[int] = mapped_column(BigInteger)


class Payment(Base):
    """What the customer paid."""

    __tablename__ = "payment"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    sale_id: Mapped[uuid.UUID]
    amount: Mapped[int] = mapped_column(BigInteger)


class LineRequest(BaseModel):
    """A product of the cart."""

    sku_id: int
    quantity: int = Field(gt=0)


class CheckoutRequest(BaseModel):
    """The cart, and what the customer pays."""

    lines: list[LineRequest] = Field(min_length=1)
    payment: int = Field(ge=0)


class CheckoutResponse(BaseModel):
    """The receipt."""

    sale_id: uuid.UUID
    total: int
    change: int


def create_application() -> FastAPI:
    """The application with both endpoints."""
    return textbook_http.application_of(checkout=checkout, checkout_at_once=checkout_at_once)


Session = Annotated[AsyncSession, Depends(session_of)]


async def checkout(request: CheckoutRequest, session: Session) -> CheckoutResponse:
    """Sell in one transaction: for each line lock its row and look; then update, insert, commit."""
    async with session.begin():
        shelves = {}
        for sku_id in sorted(line.sku_id for line in request.lines):
            locked = select(Shelf).where(Shelf.sku_id == sku_id).with_for_update()
            shelf = await session.scalar(locked)
            if shelf is not None:
                shelves[sku_id] = shelf
        return _sold(request, session, shelves)


async def checkout_at_once(request: CheckoutRequest, session: Session) -> CheckoutResponse:
    """Sell in one transaction: lock all rows in order, look, update, insert, commit."""
    async with session.begin():
        wanted = [line.sku_id for line in request.lines]
        locked = select(Shelf).where(Shelf.sku_id.in_(wanted)).order_by(Shelf.sku_id).with_for_update()
        return _sold(request, session, {shelf.sku_id: shelf for shelf in await session.scalars(locked)})


def _sold(request: CheckoutRequest, session: AsyncSession, shelves: dict[int, Shelf]) -> CheckoutResponse:
    """Take the lines from their locked shelves, and record the sale; the commit writes it."""
    sale = Sale(id=uuid_utils.compat.uuid7(), total=0)
    for position, line in enumerate(request.lines):
        shelf = shelves.get(line.sku_id)
        if shelf is None:
            raise HTTPException(404, "no such SKU")
        if shelf.on_hand < line.quantity:
            raise HTTPException(409, "insufficient stock")
        shelf.on_hand -= line.quantity
        sale.total += shelf.price * line.quantity
        sold = {"sale_id": sale.id, "sku_id": line.sku_id}
        session.add(SaleLine(**sold, position=position, quantity=line.quantity, price=shelf.price))
        session.add(LedgerEntry(**sold, change=-line.quantity))
    if request.payment < sale.total:
        raise HTTPException(422, "not enough money")
    session.add(sale)
    session.add(Payment(id=uuid_utils.compat.uuid7(), sale_id=sale.id, amount=request.payment))
    return CheckoutResponse(sale_id=sale.id, total=sale.total, change=request.payment - sale.total)


def serve(url: str, *, workers: int = WORKERS) -> AbstractContextManager[str]:
    """Run the server against the database at `url`; gives its base URL, stops it at the end."""
    return textbook_http.serve(url, workers=workers, application=f"{__name__}:create_application")


def checkout_body(skus: int, number: int) -> bytes:
    """A request for one unit of each of five random SKUs."""
    chosen = random.sample(range(schema.FIRST_SKU, schema.FIRST_SKU + skus), LINES)
    lines = b",".join(b'{"sku_id":%d,"quantity":1}' % sku_id for sku_id in chosen)
    return b'{"lines":[%b],"payment":10000}' % lines


def setup(url: str, skus: int) -> None:
    """Make the tables anew."""
    with psycopg.connect(url, autocommit=True) as connection:
        schema.require_durable(connection)
        connection.execute(TABLES)
        connection.execute(
            "INSERT INTO shelf (sku_id, price, on_hand)"
            " SELECT n, %s, %s FROM generate_series(%s::bigint, %s::bigint) n",
            (PRICE, UNITS_ON_HAND, schema.FIRST_SKU, schema.FIRST_SKU + max(skus, schema.STOCK_ROWS_MIN) - 1),
        )
        schema.settle(connection)


def check_books(url: str, operations: int) -> None:
    """Raise unless shelves, lines, ledger and payments agree, and at least `operations` sales are there."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT sum(%s - on_hand) FROM shelf)::bigint, (SELECT sum(quantity) FROM sale_line)::bigint,"
            " (SELECT -sum(change) FROM stock_ledger)::bigint, (SELECT count(*) FROM sale) * %s,"
            " (SELECT count(*) FROM payment) * %s",
            (UNITS_ON_HAND, LINES, LINES),
        ).fetchone()
    assert row is not None
    if len(set(row)) != 1 or row[0] < operations * LINES:
        raise RuntimeError(f"the books disagree, or lack some of {operations} acknowledged sales: {row}")


def measure(
    url: str, *, skus: int, clients: int, seconds: float, path: str = PER_LINE, workers: int = WORKERS
) -> Measurement:
    """Check out from `clients` connections for some seconds, then check the books."""
    with serve(url, workers=workers) as base_url:
        make_body = functools.partial(checkout_body, skus)
        measured = http_load(
            f"{base_url}{path}", make_body, {"Accept": "application/json"}, clients, seconds, name=NAME
        )
    check_books(url, measured.operations)
    return replace(measured, clients=f"{measured.clients}, {workers} workers")
