"""Measure every yardstick: `python -m benchmarks.yardsticks [--seconds 5] [--commit-delay] [--layouts]`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import Layout, Measurement
from benchmarks.server import benchmark_server
from benchmarks.yardsticks import one_statement, sqlite_textbook, textbook, textbook_http, unit_rows

LAYOUT_PROCESSES = (1, 2, 4, 8, 16, 32)
"""How many processes `--layouts` tries for a number of clients."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """How many SKUs the clients reserve from, and how many clients there are."""

    title: str
    skus: int
    clients: int


SCENARIOS = (
    Scenario("one hot SKU, 8 clients", 1, 8),
    Scenario("one hot SKU, 32 clients", 1, 32),
    Scenario("10,000 SKUs, 32 clients", 10_000, 32),
)


def main() -> None:
    """Parse the command line, start a server, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yardsticks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="counted seconds of each measurement")
    parser.add_argument("--commit-delay", action="store_true", help="simulate a flush of 1 ms more")
    parser.add_argument("--layouts", action="store_true", help="compare ways to spread the clients")
    options = parser.parse_args()
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="yardsticks") as directory,
        benchmark_server(commit_delay=options.commit_delay) as url,
    ):
        for scenario in SCENARIOS:
            title = scenario.title + (", +1 ms flush" if options.commit_delay else "")
            table = Table(title=title, title_justify="left")
            table.add_column("yardstick", no_wrap=True)
            table.add_column("clients", no_wrap=True)
            for heading in ("per second", "p50 ms", "p99 ms", "refused"):
                table.add_column(heading, justify="right")
            if options.layouts:
                results = layouts(url, scenario, options.seconds)
            else:
                results = yardsticks(url, str(Path(directory, "textbook.sqlite")), scenario, options.seconds)
            with console.status(title):
                for result in results:
                    table.add_row(*cells(result))
            console.print(table)
    if options.commit_delay and not options.layouts:
        console.print("The simulated flush is PostgreSQL's; SQLite syncs as the disk does.")


def cells(result: Measurement) -> tuple[str, ...]:
    """One row of the table."""
    return (
        result.name,
        result.clients,
        f"{result.per_second:,.0f}",
        f"{result.p50_ms:.2f}",
        f"{result.p99_ms:.2f}",
        f"{result.refused:,}",
    )


def yardsticks(url: str, sqlite_path: str, scenario: Scenario, seconds: float) -> Iterator[Measurement]:
    """Every yardstick in one scenario, each on fresh tables."""
    skus, clients = scenario.skus, scenario.clients
    textbook_http.setup(url, skus)
    yield textbook_http.measure(url, skus=skus, clients=clients, seconds=seconds)
    textbook.setup(url, skus)
    yield textbook.measure(url, skus=skus, clients=clients, seconds=seconds)
    yield from one_statement.variants(url, skus=skus, clients=clients, seconds=seconds)
    yield from unit_rows.variants(url, skus=skus, clients=clients, seconds=seconds)
    sqlite_textbook.setup(sqlite_path, skus)
    yield sqlite_textbook.measure(sqlite_path, skus=skus, clients=clients, seconds=seconds)


def layouts(url: str, scenario: Scenario, seconds: float) -> Iterator[Measurement]:
    """The yardsticks whose clients are in Python, with their clients spread in every way."""
    skus, clients = scenario.skus, scenario.clients
    ways = [Layout(n, clients // n) for n in LAYOUT_PROCESSES if n <= clients]
    for way in ways:
        textbook.setup(url, skus)
        yield textbook.measure(url, skus=skus, clients=clients, seconds=seconds, layout=way)
    for way in ways:
        one_statement.setup(url, skus)
        yield one_statement.measure_psycopg(url, "lock last", skus=skus, clients=clients, seconds=seconds, layout=way)
    for way in ways:
        unit_rows.setup(url, skus)
        yield unit_rows.measure_psycopg(url, skus=skus, clients=clients, seconds=seconds, layout=way)
    for workers in (1, 2, 4):
        textbook_http.setup(url, skus)
        result = textbook_http.measure(url, skus=skus, clients=clients, seconds=seconds, workers=workers)
        yield result


if __name__ == "__main__":
    main()
