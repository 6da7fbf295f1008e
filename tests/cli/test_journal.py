"""The journal as a file: CSV for a spreadsheet, Beancount for whoever reads plain text accounting."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from holdfast.cli import app
from tests.db.trading import trade
from tests.shop import Shop, open_shop, quick_sqlite

BEAN_CHECK = shutil.which("bean-check", path=str(Path(sys.executable).parent))


@pytest.fixture
def traded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The database of a shop that has traded, closed again."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", url)
    with quick_sqlite(), open_shop(url) as shop:
        shop.settings(name='The "Arco" \\ Iris')
        trade(shop)
    return shop


def _exported(shop: Shop, form: str) -> str:
    result = CliRunner().invoke(app, ["export", "journal", "--org", shop.org_id, "--format", form])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_entry_of_the_csv_balances(traded: Shop) -> None:
    lines = list(csv.DictReader(io.StringIO(_exported(traded, "csv"))))

    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line["entry_id"]] += Decimal(line["debit"]) - Decimal(line["credit"])
    assert len(sums) > 10 and set(sums.values()) == {Decimal(0)}
    assert {line["name"] for line in lines if line["account"] == "6000"} == {"Window cleaner"}
    assert {line["currency"] for line in lines} == {"USD"}


def test_the_ledger_names_accounts_that_beancount_knows(traded: Shop) -> None:
    text = _exported(traded, "beancount")

    assert text.startswith('option "title" "The \\"Arco\\" \\\\ Iris"\n')
    opened = {line.split()[2] for line in text.splitlines() if " open " in line}
    posted = {line.split()[0] for line in text.splitlines() if line.startswith("  ") and line.split()[0][0].isupper()}
    assert posted <= opened
    assert {"Assets:1200-Inventory", "Expenses:6000", "Income:4000-Revenue"} <= posted


@pytest.mark.skipif(BEAN_CHECK is None, reason="beancount is not installed")
def test_bean_check_finds_nothing(traded: Shop, tmp_path: Path) -> None:
    path = tmp_path / "journal.beancount"
    path.write_text(_exported(traded, "beancount"), encoding="utf-8")

    assert BEAN_CHECK is not None
    found = subprocess.run([BEAN_CHECK, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
