"""Holdfast side by side with its yardsticks: `python3 dev.py bench [--seconds 4] [--quick]`.

Everything runs against one durable PostgreSQL (fsync on), once as the disk is and once with a simulated flush of one
more millisecond, and on SQLite with `synchronous=FULL`. A row is a ratio of two measurements of the same run; absolute
figures belong to the machine. What each row promises stands beside it.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import engine
from benchmarks.load import Measurement, http_load
from benchmarks.server import benchmark_server
from benchmarks.yardsticks import one_statement, textbook, textbook_checkout, textbook_http, unit_rows

CLIENTS = 32
IN_FLIGHT = 256
SKUS = 10_000
HTTP_CONNECTIONS = 64
BATCH_CONNECTIONS = 16
BATCH_SIZE = 100


class Board:
    """The table as it grows: measurements first, then ratios of them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ratios = Table(title="Side by side", title_justify="left")
        for heading in ("what", "ours", "theirs", "ratio", "promised"):
            self.ratios.add_column(heading, justify="left" if heading == "what" else "right")

    def measured(self, title: str, one: Measurement) -> Measurement:
        """Show a measurement as soon as it is there."""
        rate = one.per_second + one.refused / one.seconds if one.refused else one.per_second
        refused = f", {one.refused / one.seconds:,.0f}/s refused" if one.refused else ""
        self.console.print(
            f"{title:<58} {rate:>10,.0f}/s  p50 {one.p50_ms:8.2f} ms  p99 {one.p99_ms:8.2f} ms  {one.clients}{refused}"
        )
        return one

    def ratio(self, what: str, ours: float, theirs: float, promised: float, unit: str = "/s") -> None:
        """A row of the final table."""
        value = ours / theirs
        colour = "green" if value >= promised else "red"
        self.ratios.add_row(
            what, f"{ours:,.1f}{unit}", f"{theirs:,.1f}{unit}", f"[{colour}]{value:.1f}[/]", f">= {promised:g}"
        )


def total(one: Measurement) -> float:
    """Answers per second, refusals included."""
    return (one.operations + one.refused) / one.seconds


def on_postgresql(board: Board, seconds: float) -> None:
    """The engine and its opponents on one PostgreSQL, as the disk is."""
    show = board.measured
    with benchmark_server() as url:
        textbook.setup(url, 1)
        a_hot = show("(a) textbook ORM, one hot SKU", textbook.measure(url, skus=1, clients=CLIENTS, seconds=seconds))
        textbook.setup(url, SKUS)
        a_wide = show(
            "(a) textbook ORM, 10,000 SKUs", textbook.measure(url, skus=SKUS, clients=CLIENTS, seconds=seconds)
        )
        b_hot = show(
            "(b) one statement, one hot SKU", one_statement.measure(url, skus=1, clients=CLIENTS, seconds=seconds)
        )
        c_hot = show("(c) unit rows, SKIP LOCKED", unit_rows.measure(url, skus=1, clients=CLIENTS, seconds=seconds))
    with benchmark_server() as url:
        shop = engine.prepare(url, skus=1)
        run = functools.partial(engine.measure, shop, seconds=seconds)
        hot = show("Holdfast, one hot SKU", run(in_flight=IN_FLIGHT))
        hot_32 = show("Holdfast, one hot SKU", run(in_flight=CLIENTS))
        no = show("Holdfast, 90% refusals", run(in_flight=IN_FLIGHT, accepted_percent=10))
        wide_shop = engine.prepare(url, skus=SKUS)
        wide_run = functools.partial(engine.measure, wide_shop, seconds=seconds)
        wide = show("Holdfast, 10,000 SKUs", wide_run(in_flight=IN_FLIGHT))
        two = show("Holdfast, 10,000 SKUs, two processes on disjoint SKUs", wide_run(in_flight=IN_FLIGHT, processes=2))
        _http(board, url, shop, seconds)
    board.ratio("one hot SKU, 256 in flight : textbook (a) at 32", hot.per_second, a_hot.per_second, 20)
    board.ratio("one hot SKU, 256 in flight : one statement (b) at 32", hot.per_second, b_hot.per_second, 5)
    board.ratio("one hot SKU, 256 in flight : unit rows (c) at 32", hot.per_second, c_hot.per_second, 5)
    board.ratio("p50 at 32 in flight: textbook (a) : ours", a_hot.p50_ms, hot_32.p50_ms, 10, " ms")
    board.ratio("10,000 SKUs : textbook (a)", wide.per_second, a_wide.per_second, 2.5)
    board.ratio("one hot SKU : 10,000 SKUs", hot.per_second, wide.per_second, 1)
    board.ratio("90% refusals : successes only", total(no), hot.per_second, 1)
    board.ratio("two processes on disjoint SKUs : one", two.per_second, wide.per_second, 1.7)


def _http(board: Board, url: str, shop: engine.Shop, seconds: float) -> None:
    """The same through HTTP, beside the textbook's endpoint."""
    with benchmark_server() as theirs:
        textbook_http.setup(theirs, 1)
        endpoint = board.measured(
            "(a) textbook endpoint, one hot SKU",
            textbook_http.measure(theirs, skus=1, clients=HTTP_CONNECTIONS, seconds=seconds),
        )
    headers = {"Authorization": f"Bearer {shop.api_key}", "Content-Type": "application/json"}
    with engine.serving(url) as address:
        single = board.measured(
            "Holdfast HTTP, single reservations",
            http_load(
                f"{address}/api/v1/inventory-reservations",
                functools.partial(engine.single_body, shop.skus[0]),
                headers,
                HTTP_CONNECTIONS,
                seconds,
            ),
        )
        batch = board.measured(
            "Holdfast HTTP, batches of 100",
            http_load(
                f"{address}/api/v1/inventory-reservations/batch",
                functools.partial(engine.batch_body, shop.skus[0]),
                headers,
                BATCH_CONNECTIONS,
                seconds,
                operations_per_request=BATCH_SIZE,
            ),
        )
    board.ratio("HTTP single : textbook endpoint", single.per_second, endpoint.per_second, 15)
    board.ratio("HTTP batch of 100 : textbook endpoint", batch.per_second, endpoint.per_second, 100)


def checkouts(board: Board, seconds: float) -> None:
    """A cart of five products sold at once over HTTP, beside the textbook's endpoint."""
    lines = textbook_checkout.LINES
    locks = (("line by line", textbook_checkout.PER_LINE), ("all at once", textbook_checkout.AT_ONCE))
    for title, skus, promised in (("the same 5", lines, (15.0, 10.0)), ("5 of 10,000", SKUS, (4.0, 3.0))):
        endpoints = []
        for how, path in locks:
            with benchmark_server() as theirs:
                textbook_checkout.setup(theirs, skus)
                measure = functools.partial(textbook_checkout.measure, theirs, skus=skus, clients=HTTP_CONNECTIONS)
                name = f"(a) textbook checkout, {title} products, locks {how}"
                endpoints.append(board.measured(name, measure(seconds=seconds, path=path)))
        with benchmark_server() as url:
            shop = engine.prepare(url, skus=skus, price=textbook_checkout.PRICE)
            with engine.serving(url) as address:
                measured = board.measured(
                    f"Holdfast HTTP, checkout, {title} products",
                    http_load(
                        f"{address}/api/v1/pos/checkout",
                        functools.partial(engine.checkout_body, shop.skus, lines),
                        engine.till(address, shop),
                        HTTP_CONNECTIONS,
                        seconds,
                    ),
                )
        for (how, _), endpoint, least in zip(locks, endpoints, promised, strict=True):
            name = f"checkout of {title} over HTTP : textbook that locks {how}"
            board.ratio(name, measured.per_second, endpoint.per_second, least)


def with_slow_flush(board: Board, seconds: float) -> None:
    """The hot SKU where a flush takes a millisecond more."""
    with benchmark_server(commit_delay=True) as url:
        textbook.setup(url, 1)
        a_hot = board.measured(
            "(a) textbook ORM, +1 ms flush", textbook.measure(url, skus=1, clients=CLIENTS, seconds=seconds)
        )
    with benchmark_server(commit_delay=True) as url:
        shop = engine.prepare(url, skus=1)
        hot = board.measured("Holdfast, +1 ms flush", engine.measure(shop, in_flight=IN_FLIGHT, seconds=seconds))
    board.ratio("+1 ms flush, one hot SKU : textbook (a)", hot.per_second, a_hot.per_second, 50)


def on_sqlite(board: Board, seconds: float) -> None:
    """SQLite with synchronous=FULL: group commit beside one transaction a reservation."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        shop = engine.prepare(f"sqlite:///{folder}/shop.db", skus=1)
        one = engine.measure(shop, in_flight=64, seconds=seconds, batch_max=1)
        board.measured("Holdfast on SQLite FULL, one transaction a reservation", one)
        grouped = board.measured("Holdfast on SQLite FULL", engine.measure(shop, in_flight=64, seconds=seconds))
    board.ratio("SQLite FULL, 64 in flight : one transaction each", grouped.per_second, one.per_second, 10)


def with_a_long_ledger(board: Board, seconds: float) -> None:
    """A million ledger rows beside an empty ledger."""
    from benchmarks.fill import fill

    with benchmark_server() as url:
        empty_shop = engine.prepare(url, skus=1)
        empty = board.measured(
            "Holdfast, empty ledger", engine.measure(empty_shop, in_flight=IN_FLIGHT, seconds=seconds)
        )
    with benchmark_server() as url:
        fill(url, products=10_000, ledger=1_000_000)
        shop = engine.prepare(url, skus=1)
        full = board.measured(
            "Holdfast, a million ledger rows", engine.measure(shop, in_flight=IN_FLIGHT, seconds=seconds)
        )
    board.ratio("a million ledger rows : an empty ledger", full.per_second, empty.per_second, 0.8)


PARTS: dict[str, Callable[[Board, float], None]] = {
    "postgresql": on_postgresql,
    "flush": with_slow_flush,
    "checkout": checkouts,
    "sqlite": on_sqlite,
    "ledger": with_a_long_ledger,
}


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="counted seconds of each measurement")
    parser.add_argument("--only", choices=sorted(PARTS), help="one part of it")
    options = parser.parse_args(arguments)
    console = Console(width=None if os.isatty(1) else 140)
    board = Board(console)
    console.print(f"{os.cpu_count()} cores; {Path(__file__).parent.name}; every figure is durable (fsync on)")
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(board, options.seconds)
    console.print(board.ratios)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
