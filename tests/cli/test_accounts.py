"""org create, key create, user add: what they make, what they tell once, what they refuse."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from pwdlib import PasswordHash

from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.organisation import NotPossible, currency_of, email_of, minor_digits_of
from tests.cli.conftest import Cli

SHORT = ("--org", "Acme", "--email", "c@d", "--role", "staff")


def test_an_organisation_can_start_to_work(cli: Cli, acme: dict[str, str], database_url: str) -> None:
    assert set(acme) >= {"org_id", "store_id", "store_code", "location", "api_key", "password"}
    assert (acme["store_code"], acme["location"]) == ("MAIN", "MAIN")
    database = Database(database_url)
    with database.reading() as connection:
        places = connection.execute(sa.select(schema.location.c.code, schema.location.c.kind)).all()
        kept = connection.execute(sa.select(schema.api_key.c.key_hash, schema.api_key.c.role)).one()
        owner = connection.execute(sa.select(schema.app_user.c.email, schema.app_user.c.password_hash)).one()
    database.dispose()
    assert sorted(map(tuple, places)) == [
        ("MAIN", "store"),
        ("MAIN-QUARANTINE", "quarantine"),
        ("TRANSIT", "transit"),
    ]
    assert tuple(kept) == (hashlib.sha256(acme["api_key"].encode()).hexdigest(), "owner")
    assert owner.email == "ana@acme.example"
    assert PasswordHash.recommended().verify(acme["password"], owner.password_hash)


def test_without_json_a_line_a_value(cli: Cli) -> None:
    made = cli("org", "create", "Acme", "--owner", "ana@acme.example", "--password", "correct horse")

    fields = dict(line.split(maxsplit=1) for line in made.out.splitlines())
    assert fields["location"] == "MAIN"
    assert len(fields["api_key"]) == 69 and fields["api_key"].startswith("hf_")
    assert "correct horse" not in made.out


def test_an_organisation_of_another_time_zone(cli: Cli, database_url: str) -> None:
    """Its first store has it too; without the option both have UTC."""
    for name, zone in (("Kauai", "Pacific/Honolulu"), ("Acme", None)):
        chosen = () if zone is None else ("--timezone", zone)
        assert cli("org", "create", name, "--owner", "ana@acme.example", *chosen).code == 0

    database = Database(database_url)
    asked = sa.select(schema.organisation.c.name, schema.organisation.c.timezone, schema.store.c.timezone)
    with database.reading() as connection:
        found = connection.execute(
            asked.join(schema.store, schema.store.c.org_id == schema.organisation.c.org_id).order_by("name")
        ).all()
    database.dispose()
    assert list(map(tuple, found)) == [("Acme", "UTC", "UTC"), ("Kauai", "Pacific/Honolulu", "Pacific/Honolulu")]


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "GMT+2", "+02:00", "", "europe/lisbon", "../etc/passwd", "UTC ", "x" * 300]
)
def test_a_time_zone_that_is_none(cli: Cli, zone: str) -> None:
    refused = cli("org", "create", "Acme", "--owner", "ana@acme.example", "--timezone", zone)

    assert (refused.code, refused.out) == (1, "")
    assert "is no IANA time zone such as Europe/Lisbon" in refused.err and refused.err.count("\n") == 1
    assert cli("org", "list").out == ""


def test_a_key_of_one_store(cli: Cli, acme: dict[str, str]) -> None:
    made = cli("key", "create", "--org", "acme", "--role", "cashier", "--store", "main", "--name", "till", "--json")

    assert made.code == 0, made.err
    assert set(made.json) == {"key_id", "api_key", "role", "stores"}
    assert (made.json["role"], made.json["stores"]) == ("cashier", [acme["store_id"]])


def test_a_key_by_the_id_of_the_organisation(cli: Cli, acme: dict[str, str]) -> None:
    made = cli("key", "create", "--org", acme["org_id"], "--role", "admin", "--json")

    assert made.json["stores"] == []


def test_a_narrowed_key(cli: Cli, acme: dict[str, str]) -> None:
    """What narrows it is told beside what is told of every key."""
    narrowed = ("--permission", "stock:read", "--permission", "events:read", "--address", "203.0.113.7")
    made = cli(
        *("key", "create", "--org", "Acme", "--role", "staff", "--expires", "2091-01-31T13:00:00+01:00", "--json"),
        *narrowed,
    )

    assert made.code == 0, made.err
    assert {name: value for name, value in made.json.items() if name not in ("key_id", "api_key")} == {
        "role": "staff",
        "stores": [],
        "permissions": ["stock:read", "events:read"],
        "addresses": ["203.0.113.7/32"],
        "expires_at": "2091-01-31T12:00:00.000000Z",
    }


def test_keys_are_listed_rolled_and_revoked(cli: Cli, acme: dict[str, str]) -> None:
    made = cli("key", "create", "--org", "Acme", "--role", "staff", "--name", "pos", "--json").json

    listed = cli("key", "list", "--org", "Acme", "--json").json
    assert [(key["id"], key["hint"]) for key in listed] == [
        (made["key_id"], made["api_key"][-4:]),
        (acme["key_id"], acme["api_key"][-4:]),
    ]
    lines = cli("key", "list", "--org", "Acme").out.splitlines()
    assert lines[0] == f"{made['key_id']}  staff    ...{made['api_key'][-4:]}  not used  pos"

    rolled = cli("key", "roll", "pos", "--org", "Acme", "--overlap-hours", "2", "--json")
    assert rolled.code == 0, rolled.err
    assert rolled.json["key_id"] == made["key_id"] and rolled.json["api_key"] != made["api_key"]
    key = cli("key", "list", "--org", "Acme", "--json").json[0]
    assert key["hint"] == rolled.json["api_key"][-4:]
    assert key["previous"] == {"hint": made["api_key"][-4:], "until": rolled.json["old_until"]}
    at_once = cli("key", "roll", made["key_id"], "--org", "Acme", "--overlap-hours", "0")
    assert at_once.out.splitlines()[-1].split() == ["old_until", "now"]

    assert cli("key", "revoke", "pos", "--org", "Acme").out == f"{made['key_id']} is revoked.\n"
    assert [key["id"] for key in cli("key", "list", "--org", "Acme", "--json").json] == [acme["key_id"]]


def test_a_user_signs_in_with_the_password_that_was_printed(cli: Cli, acme: dict[str, str], database_url: str) -> None:
    made = cli("user", "add", "--org", "Acme", "--email", " Bo@Acme.Example", "--role", "staff", "--json")

    assert made.json["email"] == "bo@acme.example"
    database = Database(database_url)
    asked = sa.select(schema.app_user.c.password_hash).where(schema.app_user.c.email == "bo@acme.example")
    with database.reading() as connection:
        kept = connection.scalar(asked)
    database.dispose()
    assert PasswordHash.recommended().verify(made.json["password"], kept)


def test_a_password_comes_by_standard_input(cli: Cli, database_url: str) -> None:
    """What stands on a command line is seen by all who may list processes: that is said, and there is a way without."""
    shown = cli("org", "create", "Beta", "--owner", "eve@beta.example", "--password", "correct horse")
    made = cli("org", "create", "Acme", "--owner", "ana@acme.example", "--password-stdin", input="correct horse\n")
    bo = ("user", "add", "--org", "Acme", "--email", "bo@acme.example", "--role", "staff", "--password-stdin", "--json")
    added = cli(*bo, input="staple battery\n")
    empty = cli(*bo, input="")

    assert "--password-stdin" in shown.err and "correct horse" not in shown.err
    assert made.code == 0 and not made.err and "correct horse" not in made.out
    assert added.code == 0 and "password" not in added.json
    assert (empty.code, empty.out) == (2, "") and "no line" in empty.err
    database = Database(database_url)
    asked = sa.select(schema.app_user.c.email, schema.app_user.c.password_hash)
    with database.reading() as connection:
        kept = dict(map(tuple, connection.execute(asked)))
    database.dispose()
    verify = PasswordHash.recommended().verify
    assert verify("correct horse", kept["ana@acme.example"]) and verify("staple battery", kept["bo@acme.example"])


def test_what_cannot_be_is_refused_in_one_line(cli: Cli, acme: dict[str, str]) -> None:
    cli("user", "add", "--org", "Acme", "--email", "bo@acme.example", "--role", "staff")
    for arguments, code, words in [
        (("user", "add", "--org", "Acme", "--email", "BO@acme.example", "--role", "staff"), 1, "exists already"),
        (("user", "add", "--org", "Acme", "--email", "nobody", "--role", "staff"), 1, "no email address"),
        (("user", "add", *SHORT, "--password-stdin"), 1, "8 to 200"),
        (("user", "add", *SHORT, "--password-stdin", "--password", "correct horse"), 2, "not both"),
        (("org", "create", "Beta", "--owner", "a@b.example", "--password-stdin", "--password", "x"), 2, "not both"),
        (("key", "create", "--org", "Nope", "--role", "staff"), 1, "no organisation 'Nope'"),
        (("key", "create", "--org", "Acme", "--role", "staff", "--store", "EAST"), 1, "there is MAIN"),
        (("key", "create", "--org", "Acme", "--role", "boss"), 2, "cashier"),
        (("key", "create", "--org", "Acme"), 2, "--role"),
        (
            ("key", "create", "--org", "Acme", "--role", "cashier", "--permission", "inventory:adjust"),
            1,
            "does not have",
        ),
        (("key", "create", "--org", "Acme", "--role", "staff", "--permission", "stock:fly"), 2, "stock:read"),
        (("key", "create", "--org", "Acme", "--role", "staff", "--address", "10.0.0.9/8"), 1, "10.0.0.0/8"),
        (("key", "create", "--org", "Acme", "--role", "staff", "--expires", "tomorrow"), 2, "2031-01-31T12:00:00Z"),
        (("key", "create", "--org", "Acme", "--role", "staff", "--expires", "2020-01-31T12:00:00Z"), 1, "future"),
        (("key", "roll", "nothing", "--org", "Acme"), 1, "no API key 'nothing'"),
        (("key", "roll", "owner", "--org", "Acme", "--overlap-hours", "-1"), 1, "overlap_hours"),
        (("org", "create", "Beta", "--owner", "a@b.example", "--currency", "XYZ"), 1, "ISO 4217"),
        (("org", "create", " ", "--owner", "a@b.example"), 1, "1 to 200 characters"),
        (("frobnicate",), 2, "frobnicate"),
    ]:
        refused = cli(*arguments, input="short\n")

        assert (refused.code, refused.out) == (code, ""), arguments
        assert words in refused.err and refused.err.count("\n") == 1, refused.err
        assert "Value error" not in refused.err


def test_two_organisations_of_one_name_are_told_apart_by_id(cli: Cli, acme: dict[str, str]) -> None:
    second = cli("org", "create", "ACME", "--owner", "eve@acme.example", "--json")

    assert second.code == 0 and "needs the id" in second.err
    ambiguous = cli("key", "create", "--org", "Acme", "--role", "staff")
    assert ambiguous.code == 1 and acme["org_id"] in ambiguous.err and second.json["org_id"] in ambiguous.err
    assert cli("key", "create", "--org", acme["org_id"], "--role", "staff").code == 0
    assert [row["name"] for row in cli("org", "list", "--json").json] in (["ACME", "Acme"], ["Acme", "ACME"])


def test_an_empty_database_is_said_to_be_empty(cli: Cli) -> None:
    refused = cli("key", "create", "--org", "Acme", "--role", "staff")

    assert refused.code == 1 and "holdfast org create" in refused.err


def test_money_has_the_digits_of_iso_4217() -> None:
    assert [minor_digits_of(code) for code in ("USD", "jpy", "KWD", "ALL", "CLF")] == [2, 0, 3, 2, 4]
    with pytest.raises(NotPossible):
        currency_of("US")


@pytest.mark.parametrize("text", ["", "a", "a@", "@b", "a b@c.d", "a@b@c", "a@b\n", "x" * 200 + "@y"])
def test_what_is_no_email_address(text: str) -> None:
    if text.strip() == "a@b":
        assert email_of(text) == "a@b"
        return
    with pytest.raises(NotPossible):
        email_of(text)


def test_a_products_file_may_say_a_day_of_the_organisation(cli: Cli, database_url: str, tmp_path: Path) -> None:
    cli("org", "create", "Kauai", "--owner", "ana@acme.example", "--timezone", "Pacific/Honolulu")
    lines = ("BOOK-9,Book,2027-03-01", "BOOK-8,Book,2027-03-01T09:00:00Z", "BOOK-7,Book,2027-W10-1")
    (tmp_path / "products.csv").write_text("sku,title,available_from\n" + "\n".join(lines))

    ran = cli("import", "products", "products.csv", "--org", "Kauai")

    assert ran.code == 1 and "neither a day (2027-03-01) nor a time (2027-03-01T09:00:00Z)" in ran.err
    database = Database(database_url)
    with database.reading() as connection:
        found = connection.execute(sa.select(schema.product.c.available_from).order_by(schema.product.c.sku)).scalars()
        assert list(map(instant_text, found)) == ["2027-03-01T09:00:00.000000Z", "2027-03-01T10:00:00.000000Z"]
    database.dispose()
    again = cli("import", "products", "products.csv", "--org", "Kauai")
    assert again.out == "products: 2 unchanged, 1 refused.\n"


def test_a_lost_password_is_reset_by_standard_input(cli: Cli, acme: dict[str, str], database_url: str) -> None:
    """It is a first password again, all sessions end, and it is never on the command line."""
    named = ("--org", "Acme", "--email", "Ana@acme.example")
    told = cli("user", "reset-password", *named, "--json", input="battery staple\n")
    made_up = cli("user", "reset-password", *named, "--json", input="\n")
    weak = cli("user", "reset-password", *named, input="password1\n")
    nobody = cli("user", "reset-password", "--org", "Acme", "--email", "no@acme.example", input="\n")

    assert (told.code, sorted(told.json)) == (0, ["email", "user_id"])
    assert (weak.code, nobody.code) == (1, 1) and "guessed first" in weak.err and "no user" in nobody.err
    columns = (schema.app_user.c.password_hash, schema.app_user.c.first_password, schema.app_user.c.sessions_from)
    database = Database(database_url)
    with database.reading() as connection:
        kept, first, since = connection.execute(sa.select(*columns)).one()
    database.dispose()
    assert PasswordHash.recommended().verify(made_up.json["password"], kept)
    assert first and since > 0


def test_a_lost_second_step_is_taken_away(cli: Cli, acme: dict[str, str]) -> None:
    reset = cli("user", "reset-totp", "--org", "Acme", "--email", "ana@acme.example", "--json")

    assert (reset.code, reset.json["removed"]) == (0, False)
