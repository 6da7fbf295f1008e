"""The check of license keys: each is one buyer's at most, and every line has what it was given, or waits for it."""

from __future__ import annotations

from holdfast.check.run import Run
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.status import COMPLETED, FREE
from holdfast.db.audit_shapes import number_in, texts_in


class KeysCheck(Run):
    """License keys, and the lines of sales that got some."""

    def keys(self) -> None:
        """Every key is free, or named by the line that got it; a product has as many as were added."""
        there: dict[tuple[str, str], int] = {}
        for row in self._rows.license_keys(self._org):
            name = f"license_key {row.raw[1]}"
            key: LicenseKey | None = self._sound(row, name)
            if key is None:
                continue
            self._same("license_key.product", name, True, row.beside[3] is not None, org_id=row.org_id)
            product = (row.org_id, key.product_id)
            there[product] = there.get(product, 0) + 1
            where = {"org_id": row.org_id}
            if key.status == FREE:
                self._same("a free license key is nobody's", name, (None, None), (key.sale_id, key.line_id), **where)
                continue
            product_id, sale_id, told, _ = row.beside
            named = (str(product_id), str(sale_id), key.id in texts_in(told))
            self._same("license_key.line", name, (key.product_id, key.sale_id, True), named, **where)

        added: dict[tuple[str, str], int] = {}
        for org, product_id, told in self._rows.keys_added(self._org):
            product = (str(org), str(product_id))
            added[product] = added.get(product, 0) + number_in(told, "added")
        for pool in sorted(there.keys() | added.keys()):
            told_of, found = added.get(pool, 0), there.get(pool, 0)
            self._same("added license keys are there", f"product {pool[1]}", told_of, found, org_id=pool[0])

    def lines(self) -> None:
        """A line got as many keys as it names, each once; a sold one has a key, or waits for one, for each unit."""
        for line in self._rows.keyed_lines(self._org):
            name, where = f"sale_line {line.line_id}", {"org_id": line.org_id}
            self._same("sale_line.keys", name, len(line.keys), line.naming, **where)
            self._same("sale_line.keys", name, len(line.keys), len(set(line.keys)), **where)
            if line.status == COMPLETED and (line.keys or line.owed):
                units = len(line.keys) + line.owed
                sound = line.fulfilled - line.returned <= units <= line.fulfilled and line.owed >= 0
                self._same("a license key for each unit", name, True, sound, **where)
