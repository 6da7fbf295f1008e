"""Options that several commands have: the organisation, a role, stores, `--json`."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast.access import Role
from holdfast.app import Holdfast
from holdfast.organisation import store_of

Org = Annotated[str, typer.Option("--org", metavar="ORG", help="The organisation: its id or name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may do.")]
Stores = Annotated[
    list[str] | None, typer.Option("--store", metavar="CODE", help="Only for this store; may be given several times.")
]


def store_ids(shop: Holdfast, org_id: str, references: list[str] | None) -> tuple[str, ...]:
    """The ids of the stores, each once."""
    return tuple(dict.fromkeys(store_of(shop.database, org_id, reference).id for reference in references or ()))
