"""The first weeks of a real year with two tax rates: `benchmarks.replay_taxes`, which replays all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.replay import DATA, OPENING, ROWS
from benchmarks.replay_taxes import replay
from tests.shop import quick_sqlite

FIRST_ROWS = 2_000


@pytest.mark.skipif(
    not (DATA / ROWS).exists() or not (DATA / OPENING).exists(),
    reason=f"{DATA / ROWS} is not there: the data set lies beside the repository, not in it",
)
def test_the_tax_report_is_what_the_rows_come_to(tmp_path: Path) -> None:
    """By rate, of sales less returns, with tax on top and then included; check and bean-check find nothing."""
    console = Console(record=True, quiet=True)

    with quick_sqlite():
        fine = replay(f"sqlite:///{tmp_path / 'year.db'}", FIRST_ROWS, console)

    assert fine, console.export_text()
