"""`holdfast org create`, `key create`, `user add`: organisations and who may act in them.

What is made up here (an API key, a password) is printed once and kept nowhere but as a hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from holdfast.access import Role
from holdfast.app import Holdfast
from holdfast.cli.terminal import (
    accepted,
    group_of_commands,
    open_shop,
    ready_database,
    say,
    say_fields,
    say_json,
    tell,
)
from holdfast.db.found import organisations
from holdfast.organisation import command_line, establish, new_key, new_user, store_of

Org = Annotated[str, typer.Option("--org", metavar="ORG", help="The organisation: its id or name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What they may do.")]
Stores = Annotated[
    list[str] | None, typer.Option("--store", metavar="CODE", help="Only for this store; may be given several times.")
]
Password = Annotated[
    str | None, typer.Option("--password", help="Their password; without it one is made up and printed.")
]

org_commands = group_of_commands("Organisations.")
key_commands = group_of_commands("API keys.")
user_commands = group_of_commands("Users.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(org_commands, name="org")
    app.add_typer(key_commands, name="key")
    app.add_typer(user_commands, name="user")


@org_commands.command("create")
def create_org(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the organisation is called.")],
    owner: Annotated[str, typer.Option("--owner", metavar="EMAIL", help="The owner's email address.")],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217 code of its money.")] = "USD",
    timezone: Annotated[
        str,
        typer.Option("--timezone", metavar="NAME", help="IANA time zone of it and its first store."),
    ] = "UTC",
    password: Password = None,
    as_json: AsJson = False,
) -> None:
    """Make an organisation with a store, an owner and an API key."""
    with ready_database(begin=True) as database:
        namesakes = organisations(database, name.strip())
        made = establish(database, name, owner, currency=currency, timezone=timezone, password=password)
    shown = {
        "org_id": made.org_id,
        "store_id": made.store_id,
        "store_code": made.store_code,
        "location": made.location,
        "api_key": made.api_key,
        "key_id": made.key_id,
        "user_id": made.user_id,
        "email": made.email,
    }
    if password is None:
        shown["password"] = made.password
    _show(shown, as_json)
    if namesakes:
        tell(f"Note: another organisation is called {name.strip()!r} too, so --org needs the id.")


@org_commands.command("list")
def list_orgs(as_json: AsJson = False) -> None:
    """List the organisations."""
    with ready_database() as database:
        rows = organisations(database)
    if as_json:
        say_json([{"org_id": row.id, "name": row.name, "currency": row.currency} for row in rows])
        return
    for row in rows:
        say(f"{row.id}  {row.currency}  {row.name}")


@key_commands.command("create")
def create_key(
    org: Org,
    role: RoleOption,
    store: Stores = None,
    name: Annotated[str, typer.Option("--name", help="What the key is for; the ledger names it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an API key."""
    with open_shop(org) as (shop, organisation):
        new = new_key(organisation.id, role, _stores(shop, organisation.id, store), name=name)
        record = accepted(shop.do(command_line(organisation.id), new.command).answer)
    shown = {"key_id": record.id, "api_key": new.api_key, "role": record.role, "stores": list(record.stores)}
    _show(shown, as_json)


@user_commands.command("add")
def add_user(
    org: Org,
    email: Annotated[str, typer.Option("--email", help="What they sign in with.")],
    role: RoleOption,
    store: Stores = None,
    password: Password = None,
    as_json: AsJson = False,
) -> None:
    """Add somebody who may sign in."""
    with open_shop(org) as (shop, organisation):
        new = new_user(email, role, _stores(shop, organisation.id, store), password=password)
        record = accepted(shop.do(command_line(organisation.id), new.command).answer)
    shown = {"user_id": record.id, "email": record.email, "role": record.role, "stores": list(record.stores)}
    if password is None:
        shown["password"] = new.password
    _show(shown, as_json)


def _stores(shop: Holdfast, org_id: str, references: list[str] | None) -> tuple[str, ...]:
    """The ids of the stores, each once."""
    return tuple(dict.fromkeys(store_of(shop.database, org_id, reference).id for reference in references or ()))


def _show(fields: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(fields)
    else:
        say_fields({name: " ".join(value) if isinstance(value, list) else value for name, value in fields.items()})
