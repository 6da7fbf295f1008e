"""Commands are typed: outer values in, converted under the lock; the wrong shape is refused and nothing is done."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.core.decide import DECISIONS
from holdfast.core.organisation.keys import AddKey, ChangeKey, RollKey
from holdfast.core.organisation.periods import ClosePeriod
from holdfast.core.organisation.places import AddLocation, AddStore, ChangeLocation, ChangeStore, StoreChanges
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.settings import AddRegister, AddTaxRate, ChangeSettings
from holdfast.core.organisation.users import AddUser
from holdfast.core.records.command import Command, CommandGroup
from holdfast.core.records.permission import Permission
from holdfast.core.records.plain import plain_test
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.shape import shaped
from holdfast.core.reservations.appointments import Book, ChangeAppointment
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.order_entry import LineRequest
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from tests.core.scene import Scene

LONG = "x" * 201
MALFORMED: list[tuple[str, Any]] = [
    ("sku", AddProduct("01890000-0000-7000-8000-000000000000")),
    ("sku", AddProduct(" MUG-1")),
    ("sku", AddProduct("..")),
    ("sku", AddProduct("MUG\u200b-1")),
    ("sku", AddProduct("MUG\x00")),
    ("sku", AddProduct("MUG\ud800")),
    ("sku", AddProduct(LONG)),
    ("sku", AddProduct("")),
    ("sku", AddProduct(7)),  # type: ignore[arg-type]
    ("title", AddProduct("A", "Soft\u00adhyphen")),
    ("kind", AddProduct("A", kind="phyiscal")),  # type: ignore[arg-type]
    ("price", AddProduct("A", price=19.99)),  # type: ignore[arg-type]
    ("gtin", AddProduct("A", gtin="9506000134353")),
    ("gtin", AddProduct("A", gtin="00000000")),
    ("precision", AddProduct("A", precision=5)),
    ("precision", AddProduct("A", precision=True)),
    ("reorder_point", AddProduct("A", reorder_point="5")),  # type: ignore[arg-type]
    ("reorder_point", AddProduct("A", reorder_point=0.5)),  # type: ignore[arg-type]
    ("available_from", AddProduct("A", available_from=10**18)),
    ("available_from", AddProduct("A", available_from="2031-01-31T00:00:00Z")),  # type: ignore[arg-type]
    ("track_expiry", AddProduct("A", track_expiry=1)),  # type: ignore[arg-type]
    ("title", ChangeProduct("A", title=None)),  # type: ignore[arg-type]
    ("code", AddStore("no spaces")),
    ("code", AddStore("caf\u00e9")),
    ("timezone", AddStore("WEST", timezone="Europe/Lisboa")),
    ("timezone", ChangeStore("EAST", timezone="")),
    ("kind", AddLocation("A", kind="shelf")),  # type: ignore[arg-type]
    ("priority", AddLocation("A", priority=-1)),
    ("reorder_points", AddLocation("A", reorder_points={"A": "5"})),  # type: ignore[dict-item]
    ("reorder_points", ChangeLocation("MAIN", reorder_points={"A\u200b": 5})),
    ("currency", ChangeSettings(currency="EURO")),
    ("currency", ChangeSettings(currency="XXY")),
    ("mode", ChangeSettings(mode="simpel")),  # type: ignore[arg-type]
    ("cart_hold_minutes", ChangeSettings(cart_hold_minutes=0)),
    ("email", AddUser(email="nobody", role="staff", password_hash="$argon2id$x")),
    ("password_hash", AddUser(email="a@b.example", role="staff", password_hash="correct horse")),
    ("role", AddUser(email="a@b.example", role="boss", password_hash="$argon2id$x")),  # type: ignore[arg-type]
    ("key_hash", AddKey(name="till", role="cashier", key_hash="hf_secret")),
    ("stores.0", AddKey(name="till", role="cashier", key_hash="0" * 64, stores=(7,))),  # type: ignore[arg-type]
    ("permissions.0", AddKey(name="till", role="cashier", key_hash="0" * 64, permissions=("fly",))),  # type: ignore[arg-type]
    ("permissions", AddKey(name="till", role="cashier", key_hash="0" * 64, permissions=())),
    ("permissions", AddKey(name="till", role="cashier", key_hash="0" * 64, permissions=(Permission.MANAGE,))),
    ("addresses.0", AddKey(name="till", role="cashier", key_hash="0" * 64, addresses=("10.0.0.1/8",))),
    ("addresses", ChangeKey("x", addresses=())),
    ("hint", AddKey(name="till", role="cashier", key_hash="0" * 64, hint="hf_secret")),
    ("expires_at", ChangeKey("x", expires_at=10**18)),
    ("key_hash", RollKey(key_id="x", key_hash="hf_secret")),
    ("overlap_hours", RollKey(key_id="x", key_hash="0" * 64, overlap_hours=721)),
    ("rate", AddTaxRate("food", "15")),
    ("rate", AddTaxRate("food", 0.15)),  # type: ignore[arg-type]
    ("code", AddRegister("MAIN", "till 1")),
    ("status", Book(0, status="compelted")),  # type: ignore[arg-type]
    ("status", ChangeAppointment("x", status="compelted")),  # type: ignore[arg-type]
    ("starts_at", ChangeAppointment("x", starts_at=10**18)),
    ("through", ClosePeriod("0")),
    ("through", ClosePeriod("2031-02-29")),
    ("quantity", Reserve("A", "2")),  # type: ignore[arg-type]
    ("quantity", Reserve("A", True)),
    ("target.source", Reserve("A", 1, target=Target("1", source=LONG))),
    ("kind", Receive("MAIN", (), kind="gift")),
    ("lines.0.expires_on", Receive("MAIN", (ReceiptLine("A", 1, expires_on="2031-1-5"),))),
    ("commands.1.sku", CommandGroup((AddProduct("A"), AddProduct(" B")))),
]


@pytest.mark.parametrize(("field", "command"), MALFORMED, ids=[f"{one[0]}-{n}" for n, one in enumerate(MALFORMED)])
def test_a_malformed_value_names_its_field_and_nothing_is_done(scene: Scene, field: str, command: Any) -> None:
    audited = scene.shop.rows("SELECT count(*) AS n FROM audit")
    assert scene.refuses(command, "INVALID_REQUEST").numbers == {"field": field}
    assert scene.shop.rows("SELECT count(*) AS n FROM audit") == audited


def test_what_is_no_command_is_refused(scene: Scene) -> None:
    for nothing in ("Reserve", None, {"sku": "MUG-1"}, Target("1"), CommandGroup(("x",)), CommandGroup(7)):  # type: ignore[arg-type]
        scene.refuses(nothing, "INVALID_REQUEST")


def test_a_price_is_an_amount_of_the_currency(scene: Scene) -> None:
    scene.do(AddProduct("GOOD", price="19.99"))
    for price in ("abc", "19.999", "-1", "1e3", "1.234,50"):
        for command in (AddProduct("BAD", price=price), ChangeProduct("GOOD", price=price)):
            refused = scene.refuses(command, "INVALID_AMOUNT")
            assert refused.detail == "price: must be an amount of USD of 0 or more, written like '10.50'."
    assert [row["price"] for row in scene.shop.holdfast.reports.products(scene.shop.org_id).items] == ["19.99"]
    scene.do(ChangeProduct("GOOD", price=None))
    assert [row["price"] for row in scene.shop.holdfast.reports.products(scene.shop.org_id).items] == [None]


def test_the_places_of_an_amount_are_those_of_the_currency(scene: Scene) -> None:
    scene.do(ChangeSettings(currency="jpy", cash_rounding="10"))
    assert scene.refuses(AddProduct("A", price="10.50"), "INVALID_AMOUNT").detail.endswith("written like '1050'.")
    assert scene.do(AddProduct("A", price="1050")).price == 1050


def test_another_precision_takes_reorder_points_along(scene_anywhere: Scene) -> None:
    """5 pieces stay 5 when the product is counted in hundredths: on the product, and at every location."""
    scene = scene_anywhere
    scene.do(AddProduct("MUG-1", reorder_point=5, oversell="preorder", preorder_limit=8))
    scene.do(AddProduct("TEE-1"))
    for place, points in (("MAIN", {"MUG-1": 3, "TEE-1": 2}), ("EAST", {"MUG-1": 4})):
        scene.do(ChangeLocation(place, reorder_points=points))

    changed = scene.do(ChangeProduct("MUG-1", precision=2))

    assert (changed.reorder_point, changed.preorder_limit) == (500, 800)
    reports, org_id = scene.shop.holdfast.reports, scene.shop.org_id
    assert reports.product(org_id, "MUG-1")["reorder_point"] == 5
    assert reports.location(org_id, "MAIN")["reorder_points"] == {"MUG-1": 3, "TEE-1": 2}
    assert reports.location(org_id, "EAST")["reorder_points"] == {"MUG-1": 4}
    changed = scene.do(ChangeProduct("MUG-1", precision=1, reorder_point=Decimal("0.5"), preorder_limit=None))
    assert (changed.reorder_point, changed.preorder_limit) == (5, None)
    assert reports.location(org_id, "EAST")["reorder_points"] == {"MUG-1": 4}


def test_a_precision_that_a_reorder_point_does_not_fit_is_refused(scene: Scene) -> None:
    scene.do(AddProduct("OIL-1", precision=2, reorder_point=Decimal("0.25")))
    refused = scene.refuses(ChangeProduct("OIL-1", precision=0), "INVALID_QUANTITY")
    assert refused.numbers == {"field": "reorder_point"}
    scene.do(ChangeLocation("EAST", reorder_points={"OIL-1": Decimal("1.5")}))
    refused = scene.refuses(ChangeProduct("OIL-1", precision=0, reorder_point=1), "INVALID_QUANTITY")
    assert "1.5 at EAST" in refused.detail
    scene.do(ChangeProduct("OIL-1", precision=1, reorder_point=None))


def test_a_group_may_change_a_precision_and_a_reorder_point(scene: Scene) -> None:
    scene.do(AddProduct("OIL-1"))
    points = {"OIL-1": Decimal("0.75")}
    scene.do(CommandGroup((ChangeProduct("OIL-1", precision=2), ChangeLocation("main", reorder_points=points))))
    assert scene.shop.holdfast.reports.location(scene.shop.org_id, "MAIN")["reorder_points"] == {"OIL-1": 0.75}


def test_records_are_named_by_what_people_call_them(scene: Scene) -> None:
    """A code in any case, a SKU, an id."""
    assert scene.do(AddStore("west")).code == "WEST"
    assert scene.do(AddLocation("west-1", "west")).code == "WEST-1"
    assert scene.do(AddRegister("West", "till-1")).code == "TILL-1"
    user = AddUser(email=" Bo@Shop.example", role="staff", password_hash="$argon2id$x", stores=("west", "WEST"))
    made = scene.do(user)
    assert (made.email, len(made.stores)) == ("bo@shop.example", 1)
    scene.refuses(AddKey(name="k", role="staff", key_hash="0" * 64, stores=("NORTH",)), "STORE_NOT_FOUND")
    scene.refuses(AddLocation("Y"), "INVALID_REQUEST")


def test_every_command_is_declared_once() -> None:
    def below(kind: type[Command]) -> list[type[Command]]:
        subs = [sub for sub in kind.__subclasses__() if sub.__module__.startswith("holdfast.")]  # tests have some too
        return [one for sub in subs for one in (below(sub) or [sub])]

    assert {one.__name__ for one in DECISIONS} == {
        one.__name__ for one in set(below(Command)) | set(DECISIONS) if not one.__name__.startswith("Product")
    }, "a body over HTTP (ProductBody, ProductChange) is one of them with another type of instant"


def test_a_shaped_command_is_itself() -> None:
    """What is in order already stays as it is, numbers of any size and free texts included."""
    for command in (
        Reserve("MUG-1", Decimal("0.25"), "MAIN", Target("102"), expires_at=1),
        Reserve("caf\u00e9", 10**30),
        Book(0, "Fam\u00edlia \U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ):
        assert shaped(command) == command


class Loud(str):
    """A text that says something else of itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


def test_of_a_kind_of_text_only_the_text_is_taken(scene: Scene) -> None:
    made = scene.do(AddProduct(Loud("MUG-7"), Loud("Mug")), key="k1")
    assert (type(made.title), made.sku, made.title) == (str, "MUG-7", "Mug")


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\nb", 5, b"k"])
def test_a_key_is_printable_everywhere(scene: Scene, key: Any) -> None:
    reply = scene.shop.holdfast.do(scene.shop.owner, AddProduct("MUG-7"), key=key)
    assert isinstance(reply.answer, Rejected) and reply.answer.numbers["field"] == "key"


def test_groups_too_deep_are_refused_at_once(scene: Scene) -> None:
    deep: Any = CommandGroup(())
    for _ in range(1_500):
        deep = CommandGroup((deep,))
    twice: Any = CommandGroup((AddProduct("MUG-7"),))
    for _ in range(60):  # two at each level: 2**60 commands, were they looked at
        twice = CommandGroup((twice, twice))
    for group in (deep, twice):
        reply = scene.shop.holdfast.do(scene.shop.owner, group)
        assert isinstance(reply.answer, Rejected) and reply.answer.code == "INVALID_REQUEST"


def test_what_nothing_decides_is_no_command(scene: Scene) -> None:
    scene.refuses(StoreChanges(), "INVALID_REQUEST")
    scene.refuses(CommandGroup((StoreChanges(),)), "INVALID_REQUEST")


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 10**30, 1.5, float("nan"), Decimal("0.25"), Decimal("NaN")),
    *("", "x", " x", LONG, "caf\u00e9", "cafe\u0301", "a\xa0b", "x\u200b", "\x00", "\x7f", "\ud800", '"', "\\"),
    *(
        "cancelled",
        "draft",
        "cash",
        "good",
        b"x",
        (),
        ("x",),
        [],
        ["x"],
        {},
        {"x": 1},
        {1: 2},
        set(),
        msgspec.UNSET,
        object(),
    ),
    *(Target("102"), (Target("102"),), ReceiptLine("A", 1, "1.00"), [ReceiptLine("A", 1, "1.00")]),
    *((ReceiptLine("A", 1, "1.00"),), (ReceiptLine("A", "1", "1.00"),)),  # type: ignore[arg-type]
)


@pytest.mark.parametrize("kind", sorted(set(DECISIONS) - {CommandGroup}, key=lambda kind: kind.__name__))
def test_what_looks_plain_passes_the_full_test_unchanged(kind: type[Command], monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way in answers what the long one would: for every field of every command, whatever it is given."""
    required = {field.name: "x" for field in msgspec.structs.fields(kind) if field.required}
    tries = [kind(**{**required, name: value}) for name in kind.__struct_fields__ for value in ODD]
    tries += [kind(**{**required, **dict.fromkeys(kind.__struct_fields__, 1)})]
    short = [shaped(one) for one in tries]
    monkeypatch.setattr("holdfast.core.records.shape.plain_test", lambda _: lambda _: False)
    for given, plain in zip(tries, short, strict=True):
        full = shaped(given)
        assert repr(plain) == repr(full), given


def test_the_commands_of_a_busy_shop_take_the_short_way() -> None:
    """What is given a thousand times a minute is tested by the quick test alone, and a wrong word is not."""
    paid = (PaymentRequest("cash", "20.00"),)
    for command in (
        Reserve("MUG-1", 1, target=Target("102", "website")),
        Receive("MAIN", (ReceiptLine("MUG-1", 1, "1.00"),)),
        Checkout("0198", (LineRequest("MUG-1", 1),), payments=paid),
        ReturnSale("0198", (ReturnedLine("0199", 1, "good"),), "card"),
    ):
        assert plain_test(type(command))(command), command
    assert not plain_test(Checkout)(Checkout("0198", (), payments=(PaymentRequest("cheque", "20.00"),)))
