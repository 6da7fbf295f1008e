"""`holdfast key create`, `key list`, `key roll`, `key revoke`: API keys without HTTP.

    holdfast key create --org "Arco Iris" --role staff --permission stock:read --address 203.0.113.0/24
    holdfast key roll KEY --org "Arco Iris" --overlap-hours 2

A key and a new secret are printed once and kept nowhere but as a hash. KEY is the id of a key, or its name where only
one has it.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.access import Permission
from holdfast.app import Holdfast
from holdfast.cli.choices import AsJson, Org, RoleOption, Stores, store_ids
from holdfast.cli.terminal import Misuse, Refusal, accepted, group_of_commands, open_shop, say, say_json, show
from holdfast.core.organisation.changes import ApiKey
from holdfast.core.organisation.keys import OVERLAP_HOURS, RemoveKey
from holdfast.core.records.time import instant_of, instant_text
from holdfast.organisation import command_line, new_key, rolled_key

LISTED = 200
"""Keys that are read at once."""

key_commands = group_of_commands("API keys.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="The key: its id, or its name.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(key_commands, name="key")


@key_commands.command("create")
def create_key(
    org: Org,
    role: RoleOption,
    store: Stores = None,
    name: Annotated[str, typer.Option("--name", help="What the key is for; the ledger names it.")] = "",
    permission: Annotated[
        list[Permission] | None,
        typer.Option(
            "--permission", metavar="NAME", help="Only this of what the role may; may be given several times."
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="CIDR", help="Only from this address or range; may be given several times."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="INSTANT", help="When it ends, as 2031-01-31T12:00:00Z.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key."""
    with open_shop(org) as (shop, organisation):
        new = new_key(
            organisation.id,
            role,
            store_ids(shop, organisation.id, store),
            name=name,
            permissions=permission or None,
            addresses=address or None,
            expires_at=_instant(expires),
        )
        key = accepted(shop.do(command_line(organisation.id), new.command).answer)
    shown = {"key_id": key.id, "api_key": new.api_key, "role": key.role, "stores": list(key.stores)}
    show(shown | _narrowed(key), as_json=as_json)


@key_commands.command("list")
def list_keys(org: Org, as_json: AsJson = False) -> None:
    """List the API keys."""
    with open_shop(org) as (shop, organisation):
        known = _all(shop, organisation.id)
    if as_json:
        say_json(known)
        return
    for key in known:
        used = f"last used {key['last_used_at']}" if key["last_used_at"] else "not used"
        say(f"{key['id']}  {key['role']:<8} ...{key['hint'] or '????'}  {used}  {key['name']}")


@key_commands.command("roll")
def roll_key(
    key: Key,
    org: Org,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", metavar="HOURS", help="How long the old secret still works.")
    ] = OVERLAP_HOURS,
    as_json: AsJson = False,
) -> None:
    """Give an API key a new secret."""
    with open_shop(org) as (shop, organisation):
        rolled = rolled_key(organisation.id, _named(shop, organisation.id, key), overlap_hours=overlap_hours)
        record = accepted(shop.do(command_line(organisation.id), rolled.command).answer)
    until = None if record.previous_until is None else instant_text(record.previous_until)
    until = until if as_json else until or "now"
    show({"key_id": record.id, "api_key": rolled.api_key, "old_until": until}, as_json=as_json)


@key_commands.command("revoke")
def revoke_key(key: Key, org: Org) -> None:
    """Revoke an API key: it is dead within a second."""
    with open_shop(org) as (shop, organisation):
        key_id = _named(shop, organisation.id, key)
        accepted(shop.do(command_line(organisation.id), RemoveKey(key_id)).answer)
    say(f"{key_id} is revoked.")


def _all(shop: Holdfast, org_id: str) -> list[dict[str, Any]]:
    """The active keys, newest first."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = shop.reports.api_keys(org_id, cursor=cursor, limit=LISTED)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def _named(shop: Holdfast, org_id: str, reference: str) -> str:
    """The id of the key with that id or name."""
    known = [key["id"] for key in _all(shop, org_id) if reference.lower() == key["id"] or reference == key["name"]]
    if len(known) == 1:
        return str(known[0])
    if known:
        raise Refusal(f"{len(known)} keys are called {reference!r}: name one by its id ({', '.join(sorted(known))}).")
    raise Refusal(f"There is no API key {reference!r}.")


def _narrowed(key: ApiKey) -> dict[str, Any]:
    """What limits the key, as far as something does."""
    until = None if key.expires_at is None else instant_text(key.expires_at)
    fields = {"permissions": key.permissions, "addresses": key.addresses, "expires_at": until}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value}


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    at = instant_of(text)
    if at is None:
        raise Misuse("--expires must be an instant with its offset, as 2031-01-31T12:00:00Z.")
    return at
