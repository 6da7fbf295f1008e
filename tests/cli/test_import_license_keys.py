"""import license-keys: each key once, in whatever file it comes again, and none of them in what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli

PRODUCTS = (
    "sku,title,kind,digital_delivery_method,download_url\nGAME-1,Game,digital,license_key,\nMUG-1,Mug,physical,,\n"
)


def _import(cli: Cli, tmp_path: Path, text: str, *options: str) -> Any:
    (tmp_path / "keys.csv").write_text(text)
    ran = cli("import", "license-keys", "keys.csv", "--org", "Acme", "--json", *options)
    assert "AAAA-1111" not in ran.out + ran.err
    return ran.json | {"code": ran.code}


def _counts(told: Any) -> tuple[int, int, int]:
    return told["added"], told["skipped"], told["refused"]


def test_keys_are_added_once(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    assert cli("import", "products", "products.csv", "--org", "Acme").code == 0
    text = "sku,license_key\nGAME-1,AAAA-1111\nGAME-1,BBBB-2222\nGAME-1,AAAA-1111\nMUG-1,AAAA-1111\n,X\nGAME-1,\n"

    tried = _import(cli, tmp_path, text, "--dry-run")
    first = _import(cli, tmp_path, text)
    again = _import(cli, tmp_path, text, "--dry-run")
    more = _import(cli, tmp_path, "license_key\nBBBB-2222\nCCCC-3333\n", "--product", "GAME-1")

    assert _counts(tried) == _counts(first) == (2, 1, 3)
    assert [line["line"] for line in first["lines"]] == [5, 6, 7]
    assert _counts(again) == (0, 3, 3)
    assert (_counts(more), more["code"], first["code"]) == ((1, 1, 0), 0, 1)
    assert cli("check").code == 0


def test_a_file_without_the_column_is_refused(cli: Cli, acme: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "keys.csv").write_text("sku\nGAME-1\n")

    ran = cli("import", "license-keys", "keys.csv", "--org", "Acme")

    assert ran.code == 1 and "license_key" in ran.err
