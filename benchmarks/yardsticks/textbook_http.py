"""Yardstick (a) behind HTTP: FastAPI, uvicorn, SQLAlchemy's async ORM, a pool of 16, as people write it.

`POST /reserve {"sku_id": 1, "quantity": 1, "idempotency_key": "..."}` answers 201, or 409 when there is too
little. The server is a process of its own on a free port:

>>> with serve(url) as base_url: ...
"""

from __future__ import annotations

import functools
import os
import random
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import uuid_utils.compat
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

import benchmarks
from benchmarks.load import Measurement, http_load
from benchmarks.yardsticks import schema
from benchmarks.yardsticks.textbook import LedgerEntry, Reservation, Stock, driver_url

NAME = "textbook over HTTP: FastAPI, ORM"

POOL_CONNECTIONS = 16
"""Of the whole server, shared out among its workers."""

WORKERS = 2
"""Measured on two cores: 2 workers gave 730/s on 10,000 SKUs where 1 gave 500/s; equal on one hot row."""

START_SECONDS_MAX = 30.0

URL_VARIABLE = "YARDSTICK_DATABASE_URL"
WORKERS_VARIABLE = "YARDSTICK_WORKERS"


class ReserveRequest(BaseModel):
    """What the buyer asks for."""

    sku_id: int
    quantity: int = Field(gt=0)
    idempotency_key: str = Field(min_length=1, max_length=255)


class ReserveResponse(BaseModel):
    """What the buyer got."""

    reservation_id: uuid.UUID
    sku_id: int
    quantity: int


def application_of(**endpoints: Callable[..., Any]) -> FastAPI:
    """An application with a POST endpoint a name, all over one pool; uvicorn calls this once in each worker."""
    engine = create_async_engine(
        driver_url(os.environ[URL_VARIABLE]),
        pool_size=POOL_CONNECTIONS // int(os.environ[WORKERS_VARIABLE]),
        max_overflow=0,
        connect_args={"prepare_threshold": 0},
    )
    application = FastAPI()
    application.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    for name, endpoint in endpoints.items():
        application.post(f"/{name}", status_code=201)(endpoint)
    return application


def create_application() -> FastAPI:
    """The application with the one endpoint."""
    return application_of(reserve=reserve)


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    """The session of one request, closed after it."""
    async with request.app.state.sessions() as session:
        yield session


async def reserve(request: ReserveRequest, session: Annotated[AsyncSession, Depends(session_of)]) -> ReserveResponse:
    """Reserve in one transaction: lock, look, update, insert, insert, commit."""
    async with session.begin():
        locked = select(Stock).where(Stock.sku_id == request.sku_id).with_for_update()
        stock = (await session.scalars(locked)).one_or_none()
        if stock is None:
            raise HTTPException(404, "no such SKU")
        if stock.on_hand - stock.reserved < request.quantity:
            raise HTTPException(409, "insufficient stock")
        stock.reserved += request.quantity
        reservation = Reservation(
            id=uuid_utils.compat.uuid7(),
            sku_id=request.sku_id,
            quantity=request.quantity,
            idempotency_key=request.idempotency_key,
        )
        session.add(reservation)
        session.add(LedgerEntry(sku_id=request.sku_id, reservation_id=reservation.id, reserved_change=request.quantity))
    return ReserveResponse(reservation_id=reservation.id, sku_id=request.sku_id, quantity=request.quantity)


@contextmanager
def serve(url: str, *, workers: int = WORKERS, application: str = f"{__name__}:create_application") -> Iterator[str]:
    """Run the application (this one, or another module's) against the database at `url`; gives its base URL.

    The server is stopped at the end.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", application]
    command += ["--host=127.0.0.1", f"--port={port}", f"--workers={workers}", "--loop=uvloop"]
    command += ["--http=httptools", "--no-access-log", "--log-level=warning"]
    server = subprocess.Popen(
        command,
        cwd=Path(benchmarks.__file__).parent.parent,
        env={**os.environ, URL_VARIABLE: url, WORKERS_VARIABLE: str(workers)},
    )
    try:
        _wait_until_open(server, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_open(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended at its start with exit code {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"the server did not listen within {START_SECONDS_MAX:.0f} s")


def reserve_body(skus: int, number: int) -> bytes:
    """A request for one unit of a random SKU; the request's number is its idempotency key."""
    sku_id = schema.FIRST_SKU + random.randrange(skus)
    return b'{"sku_id":%d,"quantity":1,"idempotency_key":"%d"}' % (sku_id, number)


def setup(url: str, skus: int) -> None:
    """Make the tables anew."""
    schema.create_tables(url, skus)


def measure(url: str, *, skus: int, clients: int, seconds: float, workers: int = WORKERS) -> Measurement:
    """POST from `clients` connections for some seconds, then check the books."""
    with serve(url, workers=workers) as base_url:
        make_body = functools.partial(reserve_body, skus)
        measured = http_load(
            f"{base_url}/reserve", make_body, {"Accept": "application/json"}, clients, seconds, name=NAME
        )
    schema.check_books(url, measured.operations)
    return replace(measured, clients=f"{measured.clients}, {workers} workers")
