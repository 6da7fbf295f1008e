"""A dry run is the real run, on a copy of the organisation that is thrown away.

    with copy_of(shop, org_id) as copy:
        import_products(copy, actor, organisation, file)     what it says is what the shop would say

It locks nothing and keeps nobody waiting. It cannot know what others will do before the real run, and it needs room for
the organisation (without its history) in the temporary folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from holdfast.app import Holdfast
from holdfast.db.dry_run_copy import copy_organisation


@contextmanager
def copy_of(shop: Holdfast, org_id: str) -> Iterator[Holdfast]:
    """A shop of its own with all that commands look at of the organisation; it is gone afterwards."""
    with TemporaryDirectory(prefix="holdfast-") as folder, Holdfast.open(f"sqlite:///{folder}/copy.db") as copy:
        copy_organisation(shop.database, org_id, copy.database)
        yield copy
