"""Imports over HTTP: a file becomes a job, each row says what became of it, and what has not moved is taken back."""

from __future__ import annotations

import csv
import io
import threading
from typing import Any
from urllib.parse import urlencode

import pytest

from holdfast.check import check
from holdfast.db import imports as kept
from holdfast.import_export.jobs import ImportWorker, Interrupted, actor_of, work_once
from holdfast.organisation import establish
from tests.api.client import Client, Response
from tests.api.conftest import Shop

PATH = "/api/v1/imports"
PRODUCTS = "sku,title,price\nMUG-1,Mug,12.50\nTEA-1,Tea,3.00\nBAD,Bad,12;x\n"
STOCK = "sku,location,quantity,unit_cost\nMUG-1,MAIN,40,3.50\nTEA-1,MAIN,5,1.00\nNOPE,MAIN,1,1.00\n"
ORDERS = (
    "order_number,source,status,sku,quantity,unit_price\n"
    "#1,shopify,suspended,MUG-1,2,10.00\n#2,shopify,completed,TEA-1,1,3.00\n#3,shopify,suspended,MUG-1,99,10.00\n"
)


def sent(
    client: Client, text: str | bytes, kind: str = "products", *, key: str | None = None, **options: Any
) -> Response:
    """The answer to an upload."""
    query = urlencode({"kind": kind, **options})
    headers = {"content-type": "text/csv"} | ({} if key is None else {"idempotency-key": key})
    raw = text if isinstance(text, bytes) else text.encode()
    return client.request("POST", f"{PATH}?{query}", content=raw, headers=headers)


def done(shop: Shop, text: str | bytes, kind: str = "products", *, by: Client | None = None, **options: Any) -> Any:
    """The import of a file, when it is done."""
    client = by or shop.owner
    answer = sent(client, text, kind, **options)
    assert (answer.status, answer.json()["state"]) == (202, "waiting"), answer
    work_once(shop.holdfast)
    return client.get(f"{PATH}/{answer.json()['id']}").json()


def taken_back(shop: Shop, name: str) -> Any:
    """The import when it is taken back as far as that goes."""
    answer = shop.owner.post(f"{PATH}/{name}/take-back")
    assert (answer.status, answer.json()["state"]) == (202, "taking_back"), answer
    work_once(shop.holdfast)
    return shop.owner.get(f"{PATH}/{name}").json()


def rows(client: Client, name: str, **filters: str) -> list[Any]:
    """All rows of an import."""
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(f"{PATH}/{name}/rows?{urlencode({'limit': '2', **filters, **cursor})}").json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def said(found: list[Any]) -> list[tuple[Any, ...]]:
    """Of rows what matters to most tests."""
    return sorted((one["row"], one["state"], one["subject"], one["field"]) for one in found)


def on_hand(shop: Shop, sku: str) -> Any:
    """Units of a product at all locations."""
    return shop.owner.get(f"/api/v1/store/inventory/product/{sku}").json()["total_quantity"]


def test_products_are_imported_and_each_row_says_what_became_of_it(any_shop: Shop) -> None:
    made = done(any_shop, PRODUCTS, name="products.csv")
    counts = {name: made[name] for name in ("state", "rows", "rows_done", "added", "changed", "unchanged", "refused")}
    expected = {"state": "done", "rows": 3, "rows_done": 3, "added": 2, "changed": 0, "unchanged": 0, "refused": 1}
    assert counts == expected
    found = rows(any_shop.owner, made["id"])
    assert said(found) == [(2, "added", "MUG-1", None), (3, "added", "TEA-1", None), (4, "refused", None, "price")]
    mug = any_shop.owner.get("/api/v1/products/MUG-1").json()
    assert [one["made"] for one in found if one["subject"] == "MUG-1"] == [[{"kind": "product", "id": mug["id"]}]]
    again = done(any_shop, PRODUCTS.replace("12.50", "13.00"))
    assert (again["added"], again["changed"], again["unchanged"], again["refused"]) == (0, 1, 1, 1)
    [changed] = rows(any_shop.owner, again["id"], state="changed")
    assert changed["changes"] == {"price": {"old": "12.50", "new": "13.00"}}
    assert [one["id"] for one in any_shop.owner.get(PATH).json()["items"]] == [again["id"], made["id"]]
    assert check(any_shop.holdfast.database).ok


def test_a_dry_run_changes_nothing_and_says_what_the_run_says(any_shop: Shop) -> None:
    done(any_shop, PRODUCTS)
    for text, kind, options in (
        ("sku,title\nMUG-1,Big mug\nNEW,New\n,Nothing\n", "products", {}),
        (STOCK, "stock", {}),
        ("sku,location,quantity\nMUG-1,MAIN,4\nTEA-1,MAIN,0\n", "stock", {"mode": "set"}),
        ("sku,location,quantity\nMUG-1,MAIN,3\nTEA-1,MAIN,0\n", "stock", {"mode": "count"}),
        (ORDERS, "orders", {}),
    ):
        before = any_shop.owner.get("/api/v1/audit").json(), any_shop.owner.get("/api/v1/inventory/ledger").json()
        dry = done(any_shop, text, kind, dry_run="true", **options)
        assert dry["state"] == "done" and dry["dry_run"], dry
        assert any_shop.owner.get("/api/v1/inventory/ledger").json() == before[1]
        real = done(any_shop, text, kind, **options)
        names = ("rows", "rows_done", "added", "changed", "unchanged", "refused", "waiting", "unmapped")
        assert {name: dry[name] for name in names} == {name: real[name] for name in names}
        assert said(rows(any_shop.owner, dry["id"])) == said(rows(any_shop.owner, real["id"]))
        assert all(one["made"] == [] for one in rows(any_shop.owner, dry["id"])), "what it names is not there"
        refused = any_shop.owner.post(f"{PATH}/{dry['id']}/take-back")
        assert (refused.status, refused.code) == (409, "INVALID_STATE")


def test_stock_is_received_set_and_counted(any_shop: Shop) -> None:
    done(any_shop, PRODUCTS)
    received = done(any_shop, STOCK, "stock", name="opening.csv")
    assert (received["added"], received["refused"], on_hand(any_shop, "MUG-1")) == (2, 1, 40)
    assert done(any_shop, STOCK, "stock")["unchanged"] == 2, "the books have it already"
    made = done(any_shop, "sku,location,quantity\nMUG-1,MAIN,38\nTEA-1,MAIN,5\n", "stock", mode="count")
    assert (made["changed"], made["unchanged"], on_hand(any_shop, "MUG-1")) == (1, 1, 38)
    made = done(any_shop, "sku,location,quantity\nMUG-1,MAIN,41\nTEA-1,MAIN,5\n", "stock", mode="set")
    assert (made["changed"], made["unchanged"], on_hand(any_shop, "MUG-1")) == (1, 1, 41)
    [row] = rows(any_shop.owner, made["id"], state="changed")
    assert row["changes"] == {"quantity": {"old": 38, "new": 41}}
    assert check(any_shop.holdfast.database).ok


def test_orders_say_which_lines_wait(any_shop: Shop) -> None:
    done(any_shop, PRODUCTS)
    done(any_shop, STOCK, "stock")
    made = done(any_shop, ORDERS, "orders")
    assert (made["added"], made["waiting"], made["unmapped"]) == (3, 1, 0)
    notes = [one["detail"] for one in rows(any_shop.owner, made["id"], state="note")]
    assert notes == ["order #3: 61 of MUG-1 wait for stock."]
    assert done(any_shop, ORDERS, "orders")["unchanged"] == 3


def test_what_nothing_has_moved_is_taken_back_and_the_rest_is_named(any_shop: Shop) -> None:
    products = done(any_shop, PRODUCTS)
    stock = done(any_shop, STOCK, "stock")
    orders = done(any_shop, ORDERS, "orders")
    back = taken_back(any_shop, orders["id"])
    assert (back["state"], back["taken_back"], back["kept"]) == ("taken_back", 2, 1)
    [left] = rows(any_shop.owner, orders["id"], back="kept")
    assert (left["subject"], left["reason"]) == ("order #2", "The order is completed.")
    back = taken_back(any_shop, stock["id"])
    assert (back["taken_back"], back["kept"]) == (1, 1)
    [left] = rows(any_shop.owner, stock["id"], back="kept")
    assert left["reason"] == "TEA-1 at MAIN has moved since: of this lot not all is as it came."
    assert (on_hand(any_shop, "MUG-1"), on_hand(any_shop, "TEA-1")) == (0, 4)
    equity = any_shop.owner.get("/api/v1/trial-balance").json()
    opening = [one for one in equity["items"] if one["account"] == "3000"]
    assert [one["balance"] for one in opening] == ["-5.00"], "as if those mugs had never been said"
    back = taken_back(any_shop, products["id"])
    assert (back["taken_back"], back["kept"]) == (1, 1)
    assert not any_shop.owner.get("/api/v1/products/MUG-1").json()["active"]
    assert any_shop.owner.get("/api/v1/products/TEA-1").json()["active"]
    assert check(any_shop.holdfast.database).ok


def test_a_changed_product_and_a_set_level_are_as_they_were(any_shop: Shop) -> None:
    done(any_shop, PRODUCTS)
    done(any_shop, STOCK, "stock")
    changed = done(any_shop, "sku,title,price\nMUG-1,Big mug,20.00\nTEA-1,Green tea,3.00\n")
    fixed = done(any_shop, "sku,location,quantity\nMUG-1,MAIN,50\nTEA-1,MAIN,9\n", "stock", mode="set")
    any_shop.owner.patch("/api/v1/products/TEA-1", {"title": "Black tea"})
    any_shop.owner.post("/api/v1/store/inventory/adjust", {"product_id": "TEA-1", "location": "MAIN", "quantity": -1})
    assert (taken_back(any_shop, changed["id"])["kept"], taken_back(any_shop, fixed["id"])["kept"]) == (1, 1)
    [left] = rows(any_shop.owner, changed["id"], back="kept")
    assert left["reason"] == "Product TEA-1 was changed since."
    [left] = rows(any_shop.owner, fixed["id"], back="kept")
    assert left["reason"] == "TEA-1 at MAIN has 8, not 9."
    mug = any_shop.owner.get("/api/v1/products/MUG-1").json()
    assert (mug["title"], mug["price"], on_hand(any_shop, "MUG-1"), on_hand(any_shop, "TEA-1")) == (
        "Mug",
        "12.50",
        40,
        8,
    )
    assert check(any_shop.holdfast.database).ok


def test_a_promise_is_not_broken_by_taking_back(shop: Shop) -> None:
    done(shop, PRODUCTS)
    opening = done(shop, STOCK, "stock")
    fixed = done(shop, "sku,location,quantity\nMUG-1,MAIN,50\n", "stock", mode="set")
    hold = {"product_id": "MUG-1", "quantity": 45, "location": "MAIN", "order_number": "7"}
    assert shop.owner.post("/api/v1/inventory-reservations", hold).status == 201
    assert taken_back(shop, fixed["id"])["kept"] == 1
    [left] = rows(shop.owner, fixed["id"], back="kept")
    assert left["reason"] == "45 of MUG-1 at MAIN are promised to somebody."
    assert taken_back(shop, opening["id"])["kept"] == 1
    [left] = rows(shop.owner, opening["id"], back="kept")
    assert left["reason"] == "MUG-1 at MAIN is promised to somebody."
    held = shop.owner.get("/api/v1/inventory-reservations").json()["items"]
    assert [one["allocated_quantity"] for one in held] == [45]


def test_opening_stock_that_was_taken_back_can_be_imported_again(any_shop: Shop) -> None:
    done(any_shop, PRODUCTS)
    first = done(any_shop, STOCK, "stock")
    assert taken_back(any_shop, first["id"])["taken_back"] == 2
    second = done(any_shop, STOCK, "stock")
    assert (second["added"], on_hand(any_shop, "MUG-1")) == (2, 40)
    assert done(any_shop, STOCK, "stock")["unchanged"] == 2
    third = taken_back(any_shop, first["id"])
    assert (third["taken_back"], third["kept"], on_hand(any_shop, "MUG-1")) == (2, 0, 40), "it is taken back once"
    assert check(any_shop.holdfast.database).ok


def test_a_job_that_lost_its_process_goes_on_and_takes_nothing_twice(
    any_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies when the commands of a piece are committed and nothing is written of its rows."""
    done(any_shop, PRODUCTS)
    text = "sku,location,quantity,unit_cost\n" + "MUG-1,MAIN,1,3.50\n" * 700 + "NOPE,MAIN,1,1.00\n"
    for options in ({}, {"again": "true"}):
        before = on_hand(any_shop, "MUG-1")
        name = sent(any_shop.owner, text, "stock", **options).json()["id"]

        def die(*_: Any) -> bool:
            raise SystemExit

        with monkeypatch.context() as patched:
            patched.setattr("holdfast.import_export.job_rows.keep_rows", die)
            patched.setattr("holdfast.import_export.job_rows.JobRows.begin", lambda _: None)
            with pytest.raises(SystemExit):
                work_once(any_shop.holdfast)
        assert before < on_hand(any_shop, "MUG-1") <= before + 700
        assert not work_once(any_shop.holdfast), "the lease holds"
        _end_lease(any_shop, name)
        assert work_once(any_shop.holdfast)
        made = any_shop.owner.get(f"{PATH}/{name}").json()
        assert (made["state"], made["added"], made["refused"], made["rows_done"]) == ("done", 700, 1, 701)
        assert on_hand(any_shop, "MUG-1") == before + 700
        assert len({one["row"] for one in rows(any_shop.owner, name)}) == 701
    assert check(any_shop.holdfast.database).ok


def _end_lease(shop: Shop, name: str) -> None:
    table = kept.import_job
    with shop.holdfast.database.writing() as connection:
        gone = table.update().where(table.c.org_id == shop.made.org_id, table.c.id == name)
        assert connection.execute(gone.values(lease_until=1)).rowcount == 1


def test_a_file_that_kills_its_process_is_given_up(shop: Shop) -> None:
    name = sent(shop.owner, PRODUCTS).json()["id"]
    for _ in range(5):
        kept.claim(shop.holdfast.database, shop.made.org_id, name, "00000000-0000-0000-0000-000000000001")
        _end_lease(shop, name)
    work_once(shop.holdfast)
    made = shop.owner.get(f"{PATH}/{name}").json()
    assert made["state"] == "interrupted" and "given up" in made["detail"], made


def test_two_workers_share_the_work_and_do_it_once(any_shop: Shop) -> None:
    names = [sent(any_shop.owner, PRODUCTS).json()["id"], sent(any_shop.owner, PRODUCTS).json()["id"]]
    first = kept.claim(any_shop.holdfast.database, any_shop.made.org_id, names[0], NOBODY)
    assert first is not None
    for name in names:
        assert kept.claim(any_shop.holdfast.database, any_shop.made.org_id, name, OTHER) is None
    _end_lease(any_shop, names[0])
    second = kept.claim(any_shop.holdfast.database, any_shop.made.org_id, names[0], OTHER)
    assert second is not None and second.interruptions == 1
    assert not kept.renew(any_shop.holdfast.database, first), "it lost the lease"
    assert not kept.keep_rows(any_shop.holdfast.database, first, {"added": 7}, [])
    assert not kept.let_go(any_shop.holdfast.database, first, "done")
    assert kept.let_go(any_shop.holdfast.database, second)
    threads = [threading.Thread(target=work_once, args=(any_shop.holdfast,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work_once(any_shop.holdfast)
    made = [any_shop.owner.get(f"{PATH}/{name}").json() for name in names]
    assert [one["state"] for one in made] == ["done", "done"]
    assert [one["added"] for one in made] == [2, 0]


NOBODY = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000002"


def test_a_worker_works_by_itself_and_stops(shop: Shop) -> None:
    worker = ImportWorker(shop.holdfast, seconds=0.01)
    name = sent(shop.owner, PRODUCTS).json()["id"]
    waited = threading.Event()
    for _ in range(500):
        if shop.owner.get(f"{PATH}/{name}").json()["state"] == "done":
            break
        waited.wait(0.02)
    worker.stop()
    assert shop.owner.get(f"{PATH}/{name}").json()["state"] == "done"
    late = sent(shop.owner, PRODUCTS).json()["id"]
    waited.wait(0.1)
    assert shop.owner.get(f"{PATH}/{late}").json()["state"] == "waiting"


def test_a_job_stops_when_who_asked_may_not_act_any_more(shop: Shop) -> None:
    manager = shop.caller("manager")
    name = sent(manager, PRODUCTS).json()["id"]
    [key] = [one for one in shop.owner.get("/api/v1/api-keys").json()["items"] if one["role"] == "manager"]
    assert shop.owner.delete(f"/api/v1/api-keys/{key['id']}").status == 204
    work_once(shop.holdfast)
    made = shop.owner.get(f"{PATH}/{name}").json()
    assert (made["state"], made["added"]) == ("interrupted", 0)
    assert made["detail"] == "key:manager is no active user or key any more."


def test_somebody_of_one_store_changes_the_stock_of_that_store_alone(any_shop: Shop) -> None:
    shop = any_shop
    east = shop.owner.post("/api/v1/stores", {"code": "EAST", "name": "East"}).json()["id"]
    shop.owner.post("/api/v1/locations", {"store_id": "EAST", "code": "SHELF"})
    whole = done(shop, PRODUCTS)
    done(shop, "sku,location,quantity,unit_cost\nMUG-1,MAIN,17,3.50\n", "stock")
    manager = shop.caller("manager", (east,))
    text = "sku,location,quantity,unit_cost\nMUG-1,SHELF,4,3.50\nMUG-1,MAIN,40,3.50\n"
    made = done(shop, text, "stock", by=manager)
    assert (made["added"], made["refused"], made["stores"]) == (1, 1, [east])
    [refused] = rows(manager, made["id"], state="refused")
    assert "17" not in refused["detail"], "nothing of the other store's stock is told"
    assert on_hand(shop, "MUG-1") == 21
    assert [one["id"] for one in manager.get(PATH).json()["items"]] == [made["id"]]
    for path in ("", "/rows", "/rows.csv"):
        assert manager.get(f"{PATH}/{whole['id']}{path}").status == 404
    assert manager.post(f"{PATH}/{whole['id']}/take-back").status == 404
    narrowed = shop.owner.get(PATH, headers={"x-store": "EAST"}).json()["items"]
    assert [one["id"] for one in narrowed] == [made["id"]]


@pytest.mark.parametrize("role", ["cashier", "staff"])
def test_imports_are_for_managers(shop: Shop, role: str) -> None:
    made = done(shop, PRODUCTS)
    client = shop.caller(role)
    assert sent(client, PRODUCTS).status == 403
    assert client.post(f"{PATH}/{made['id']}/take-back").status == 403
    for path in ("", f"/{made['id']}", f"/{made['id']}/rows", f"/{made['id']}/rows.csv"):
        assert client.get(PATH + path).status == 403


def test_another_organisation_sees_nothing_of_it(any_shop: Shop) -> None:
    made = done(any_shop, PRODUCTS)
    other = establish(any_shop.holdfast.database, "Other", "bo@other.example", password="correct horse")
    stranger = any_shop.owner.using(other.api_key)
    assert stranger.get(PATH).json()["items"] == []
    for path in ("", "/rows", "/rows.csv"):
        assert stranger.get(f"{PATH}/{made['id']}{path}").status == 404
    assert stranger.post(f"{PATH}/{made['id']}/take-back").status == 404


def test_an_upload_that_is_sent_again_is_one_import(any_shop: Shop) -> None:
    first = sent(any_shop.owner, PRODUCTS, key="k1")
    again = sent(any_shop.owner, PRODUCTS, key="k1")
    assert (again.status, again.content, again.headers["idempotent-replayed"]) == (202, first.content, "true")
    assert sent(any_shop.owner, PRODUCTS + "\nX,X,1.00\n", key="k1").code == "IDEMPOTENCY_KEY_REUSED"
    assert sent(any_shop.owner, PRODUCTS, key="k1", dry_run="true").code == "IDEMPOTENCY_KEY_REUSED"
    assert len(any_shop.owner.get(PATH).json()["items"]) == 1


def test_what_a_stranger_may_send_is_bounded(shop: Shop) -> None:
    owner = shop.owner
    assert sent(owner, b"").code == "INVALID_REQUEST"
    assert sent(owner, b"PK\x03\x04...").code == "INVALID_REQUEST"
    assert sent(owner, b"sku,title\nA,\xff\xfe\n").code == "INVALID_REQUEST"
    assert sent(owner, b"sku,title\nA,\0\n").code == "INVALID_REQUEST"
    assert sent(owner, "sku\n" + "A\n" * 100_001).code == "INVALID_REQUEST"
    assert sent(owner, "sku,title\n" + "x" * (4 * 1024 * 1024)).status == 413
    assert owner.request("POST", f"{PATH}?kind=products", {"a": 1}).status == 415
    for query in ("", "kind=keys", "kind=products&mode=set", "kind=stock&format=shopify", "kind=orders&format=x",
                  "kind=stock&mode=set&again=true", "kind=products&dry_run=maybe", "kind=products&x=1"):  # fmt: skip
        answer = owner.request("POST", f"{PATH}?{query}", content=b"sku\nA\n", headers={"content-type": "text/csv"})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST"), query
    assert owner.get(PATH).json()["items"] == []
    for number in range(5):
        assert sent(owner, PRODUCTS, key=f"k{number}").status == 202
    assert (sent(owner, PRODUCTS).status, sent(owner, PRODUCTS).code) == (409, "INVALID_STATE")
    again = sent(owner, PRODUCTS, key="k0")
    assert (again.status, again.headers["idempotent-replayed"]) == (202, "true"), "it was taken before"
    assert owner.get(f"{PATH}/nothing").code == "NOT_FOUND"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_of_a_spreadsheet_is_read(shop: Shop, encoding: str) -> None:
    made = done(shop, "sku,title\nCAFÉ,Café\n".encode(encoding))
    assert (made["added"], shop.owner.get("/api/v1/products/CAF%C3%89").json()["title"]) == (1, "Café")


def test_a_file_with_other_columns_is_refused_as_a_whole(shop: Shop) -> None:
    made = done(shop, "colour,size\nred,1\n")
    assert (made["state"], made["added"]) == ("refused", 0)
    assert "sku" in made["detail"]


def test_rows_are_downloaded_as_a_spreadsheet_opens_them(shop: Shop) -> None:
    made = done(shop, "sku,title,price\nMUG-1,Mug,12.50\nB,=1+1,x\n")
    answer = shop.owner.get(f"{PATH}/{made['id']}/rows.csv")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == f'attachment; filename="import-{made["id"]}.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    found = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert sorted((one["row"], one["state"], one["field"]) for one in found) == [
        ("2", "added", ""),
        ("3", "refused", "price"),
    ]
    refused = shop.owner.get(f"{PATH}/{made['id']}/rows.csv?state=refused").content.decode()
    assert [one["row"] for one in csv.DictReader(io.StringIO(refused))] == ["3"]
    assert shop.owner.get(f"{PATH}/{made['id']}/rows.csv?state=changed").content.decode().count("\n") == 1


def test_the_rights_of_a_job_are_those_of_now(shop: Shop) -> None:
    name = sent(shop.owner, PRODUCTS).json()["id"]
    job = kept.claim(shop.holdfast.database, shop.made.org_id, name, NOBODY)
    assert job is not None
    actor = actor_of(shop.holdfast, job)
    assert (actor.name, actor.role, actor.id) == (job.actor, "owner", shop.made.key_id)
    with pytest.raises(Interrupted):
        actor_of(shop.holdfast, job._replace(actor_id=NOBODY))


def test_only_the_last_imports_are_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_MAX", 2)
    names = [done(shop, f"sku,title\nP-{number},P\n")["id"] for number in range(4)]
    assert [one["id"] for one in shop.owner.get(PATH).json()["items"]] == [names[3], names[2]]
    assert shop.owner.get(f"{PATH}/{names[0]}/rows").status == 404
    assert shop.owner.get("/api/v1/products/P-0").status == 200
    monkeypatch.setattr(kept, "KEPT_ROWS_MAX", 3)
    last = done(shop, "sku,title\n" + "".join(f"Q-{number},Q\n" for number in range(4)))
    assert [one["id"] for one in shop.owner.get(PATH).json()["items"]] == [last["id"]]
