"""License keys from a CSV file: sku,license_key, or the keys of one product; those that are known are skipped.

    import_license_keys(shop, actor, file)                        sku,license_key
    import_license_keys(shop, actor, file, product="GAME-1")      license_key

A key is told from the others as a whole and as it is written, white space around it left out. No message repeats one.
"""

from __future__ import annotations

from itertools import islice
from typing import TextIO

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.organisation.key_pool import AddedKeysDocument, AddLicenseKeys
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.text import TEXT_MAX
from holdfast.encryption import NoSecretKey, encrypted_key
from holdfast.import_export.dry_run import copy_of
from holdfast.import_export.table import (
    WAITING_MAX,
    BadLine,
    FileRefused,
    Line,
    Outcome,
    Progress,
    read_table,
    require_columns,
    test_width,
)

COLUMNS = ("sku", "license_key")


def import_license_keys(
    shop: Holdfast,
    actor: Actor,
    file: TextIO,
    *,
    product: str | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Add the keys of a file to the pools of their products; `skipped` are those that a product has had before."""
    if dry_run:
        with copy_of(shop, actor.org_id) as copy:
            copy.cipher = shop.cipher  # or no key would be known there
            return import_license_keys(copy, actor, file, product=product, progress=progress)
    table = read_table(file)
    needed = COLUMNS if product is None else COLUMNS[1:]
    require_columns(table, COLUMNS, needed)
    outcome = Outcome()
    lines = iter(table.lines)
    while part := list(islice(lines, WAITING_MAX)):
        _add(shop, actor, part, product, outcome)
        progress(len(part))
    return outcome


def _cells(line: Line, product: str | None) -> tuple[str, str]:
    """The product and the key of a line."""
    test_width(line.cells)
    key, sku = line.cells.get("license_key", ""), line.cells.get("sku", "") or product
    if not sku:
        raise BadLine("sku is empty.")
    if not 1 <= len(key) <= TEXT_MAX:
        raise BadLine(f"license_key must have 1 to {TEXT_MAX} characters.")
    return sku, key


def _add(shop: Holdfast, actor: Actor, lines: list[Line], product: str | None, outcome: Outcome) -> None:
    """The keys of some lines, a command for each product."""
    keys: dict[str, list[tuple[int, str]]] = {}
    for line in lines:
        try:
            sku, key = _cells(line, product)
        except BadLine as bad:
            outcome.refuse(line.number, str(bad))
        else:
            keys.setdefault(sku, []).append((line.number, key))
    for sku, own in keys.items():
        try:
            made = tuple(encrypted_key(shop.cipher, actor.org_id, key) for _, key in own)
        except NoSecretKey as error:
            raise FileRefused(str(error)) from error
        answer = shop.do(actor, AddLicenseKeys(sku, made)).answer
        if isinstance(answer, Rejected):
            for number, _ in own:
                outcome.refuse(number, answer.detail)
            continue
        assert isinstance(answer, AddedKeysDocument)
        outcome.added += answer.added
        outcome.skipped += answer.known
