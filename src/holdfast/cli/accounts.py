"""`holdfast org create`, `user add`: organisations and who may act in them; keys are in `keys`.

What is made up here (an API key, a password) is printed once and kept nowhere but as a hash.
"""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast.cli import keys
from holdfast.cli.choices import AsJson, Org, RoleOption, Stores, store_ids
from holdfast.cli.terminal import (
    accepted,
    group_of_commands,
    open_shop,
    ready_database,
    say,
    say_json,
    show,
    tell,
)
from holdfast.db.found import organisations
from holdfast.organisation import command_line, establish, new_user

Password = Annotated[
    str | None, typer.Option("--password", help="Their password; without it one is made up and printed.")
]

org_commands = group_of_commands("Organisations.")
user_commands = group_of_commands("Users.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(org_commands, name="org")
    keys.add_to(app)
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
    show(shown, as_json=as_json)
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
        new = new_user(email, role, store_ids(shop, organisation.id, store), password=password)
        record = accepted(shop.do(command_line(organisation.id), new.command).answer)
    shown = {"user_id": record.id, "email": record.email, "role": record.role, "stores": list(record.stores)}
    if password is None:
        shown["password"] = new.password
    show(shown, as_json=as_json)
