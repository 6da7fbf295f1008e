"""Yardstick (a), the textbook: SQLAlchemy ORM, one transaction per reservation, SELECT ... FOR UPDATE.

Lock the stock row, look whether there is enough, add to it, insert the reservation and a ledger entry,
commit. This is what most shops run and what most tutorials teach. Five round trips per reservation.
"""

from __future__ import annotations

import functools
import math
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import uuid_utils.compat
from sqlalchemy import BigInteger, Engine, Identity, create_engine, make_url, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from benchmarks.load import Layout, Measurement, Worker, process_load
from benchmarks.yardsticks import schema

NAME = "textbook: ORM, FOR UPDATE"


class Base(DeclarativeBase):
    """The yardstick's tables as classes (`schema.TABLES` creates them)."""


class Stock(Base):
    """What is on hand of a SKU, and how much of it is promised."""

    __tablename__ = "stock"
    sku_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger, default=0)


class Reservation(Base):
    """A promise of some units of a SKU."""

    __tablename__ = "reservation"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid_utils.compat.uuid7)
    sku_id: Mapped[int] = mapped_column(BigInteger)
    quantity: Mapped[int] = mapped_column(BigInteger)
    idempotency_key: Mapped[str] = mapped_column(unique=True)


class LedgerEntry(Base):
    """A change of a stock row, with its cause."""

    __tablename__ = "ledger"
    sku_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    reservation_id: Mapped[uuid.UUID]
    reserved_change: Mapped[int] = mapped_column(BigInteger)


def driver_url(url: str) -> str:
    """The URL of a PostgreSQL database as SQLAlchemy wants it for psycopg 3 (sync and async alike)."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@functools.cache
def engine_of(url: str, connections: int) -> Engine:
    """The process's engine: as many connections as clients, statements prepared at their first use."""
    return create_engine(driver_url(url), pool_size=connections, max_overflow=0, connect_args={"prepare_threshold": 0})


def reserve(sessions: sessionmaker[Session], sku_id: int, quantity: int, key: str) -> bool:
    """Reserve in one transaction; False when there is too little."""
    with sessions.begin() as session:
        stock = session.scalars(select(Stock).where(Stock.sku_id == sku_id).with_for_update()).one()
        if stock.on_hand - stock.reserved < quantity:
            return False
        stock.reserved += quantity
        reservation = Reservation(id=uuid_utils.compat.uuid7(), sku_id=sku_id, quantity=quantity, idempotency_key=key)
        session.add(reservation)
        session.add(LedgerEntry(sku_id=sku_id, reservation_id=reservation.id, reserved_change=quantity))
    return True


@contextmanager
def client(url: str, skus: int, threads: int, number: int) -> Iterator[Worker]:
    """One client: reserves one unit of a random SKU at a time, from the engine its process shares."""
    sessions = sessionmaker(engine_of(url, threads), expire_on_commit=False)
    choose = random.Random(number).randrange

    def work() -> bool:
        sku_id = choose(schema.FIRST_SKU, schema.FIRST_SKU + skus)
        return reserve(sessions, sku_id, 1, str(uuid_utils.uuid7()))

    yield work


def setup(url: str, skus: int) -> None:
    """Make the tables anew."""
    schema.create_tables(url, skus)


PROCESSES = 4
"""Measured for 32 clients, medians of three: 4 x 8 gave 960/s on 10,000 SKUs, 1 x 32, 2 x 16 and 8 x 4 gave
540, 790 and 880/s; on one hot row 480 against 440, 480 and 410/s."""


def layout_of(clients: int) -> Layout:
    """The fastest way to spread clients on two cores."""
    processes = math.gcd(clients, PROCESSES)
    return Layout(processes, clients // processes)


def measure(url: str, *, skus: int, clients: int, seconds: float, layout: Layout | None = None) -> Measurement:
    """Reserve from `clients` clients for some seconds, then check the books."""
    layout = layout or layout_of(clients)
    measured = process_load(NAME, functools.partial(client, url, skus, layout.threads), layout, seconds)
    schema.check_books(url, measured.operations)
    return measured
