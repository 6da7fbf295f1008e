"""No command depends on the number of locations, stores, lots, lines, holds or tills in a way that fails or explodes.

Each scenario is run at several sizes on both databases: it is accepted, begins its transaction equally often, and asks
equally many statements, however large the shop is. What it computes grows at most in proportion.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast.core.records.wants
import tests.shapes.typed_scenarios  # noqa: F401 - it writes its scenarios down
from holdfast.core.decide import DECISIONS
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.sale import LINES_MAX
from holdfast.db.batch.load import SEPARATE
from holdfast.db.batch.loaders import AT_BEGINNING, LOADERS
from tests.shapes.measuring import Cost, Workbench
from tests.shapes.scenarios import SCENARIOS, Scenario
from tests.shop import Shop, open_shop, quick_sqlite, shop_in
from tests.truth import assert_truth

SIZES = (1, 2, 12, 13, 40)
"""Around the wall that there was at twelve, and beyond it."""

ROUNDS_MAX = 5
"""Most beginnings of one transaction: one, and one for each kind of question about levels."""

WORK_SIZES = (10, 40)
"""Sizes between which the work is compared."""

WORK_FACTOR_MAX = 4.6
"""Most growth of the work when the size grows fourfold: in proportion, and something for the sorting."""


LARGE = (
    "completion_of_a_sale_of_n_lines",
    "line_edited_in_a_sale_of_n",
    "cancellation_after_half_of_n_lines_went_out",
    "return_out_of_n_lots",
    "return_of_n_lines",
    "release_over_n_lots",
    "consume_over_n_lots",
    "release_before_n_who_wait",
    "recall_of_a_lot_with_n_holds",
    "set_below_n_holds",
    "receipt_of_n_lines",
    "receipt_that_n_wait_for",
    "post_a_sheet_of_n_lines",
    "arrival_of_n_lots",
    "checkout_of_n_lines",
    "order_of_n_lines_has_gone_out",
    "completion_of_an_appointment_of_n_products",
    "till_with_an_open_cart_of_n_products",
    "group_of_n_holds",
)
"""Scenarios that are run at their documented maximum as well."""


@pytest.fixture(scope="module")
def shop_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path_factory.mktemp('shapes') / 'shop.db'}") as shop:
        yield shop
        assert_truth(shop)


@pytest.fixture(scope="module")
def shop_on_postgresql(postgres_server, founded_shop) -> Iterator[Shop]:
    template, facts = founded_shop
    name = postgres_server.create_database(template=template)
    with shop_in(postgres_server.url(name), facts) as shop:
        yield shop
        assert_truth(shop)
    postgres_server.drop_database(name)


def _run(shop: Shop, one: Scenario, size: int, *, counting_lines: bool = False) -> Cost:
    built = one.build(shop, size)
    command, actor = built if isinstance(built, tuple) else (built, None)
    assert type(command) is one.command
    cost = Workbench(shop).measure(command, actor=actor, counting_lines=counting_lines)
    assert not isinstance(cost.answer, Rejected), (one.name, size, cost.answer)
    return cost


def _flat(shop: Shop, one: Scenario, sizes: tuple[int, ...] = SIZES) -> None:
    costs = {size: _run(shop, one, size) for size in sizes}
    rounds = {size: cost.rounds for size, cost in costs.items()}
    statements = {size: cost.statements for size, cost in costs.items()}
    assert max(rounds.values()) <= ROUNDS_MAX, rounds
    assert len({rounds[size] for size in sizes if size > 1}) == 1, rounds
    assert statements[40] <= statements[2], statements


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_rounds_and_statements_are_flat_on_sqlite(shop_on_sqlite: Shop, one: Scenario) -> None:
    _flat(shop_on_sqlite, one)


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name)
def test_rounds_and_statements_are_flat_on_postgresql(shop_on_postgresql: Shop, one: Scenario) -> None:
    _flat(shop_on_postgresql, one, (2, 40))  # the rounds between are counted on SQLite


@pytest.mark.parametrize("one", [one for one in SCENARIOS if not one.grows_with_places], ids=lambda one: one.name)
def test_work_grows_at_most_in_proportion(tmp_path: Path, one: Scenario) -> None:
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        small, large = (_run(shop, one, size, counting_lines=True).lines for size in WORK_SIZES)
    assert large <= small * WORK_FACTOR_MAX, (small, large)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_work_grows_in_proportion_up_to_the_documented_maximum(tmp_path: Path, name: str) -> None:
    """1,000 lines is the most that a sale, a receipt, a count or a group may have."""
    one = next(one for one in SCENARIOS if one.name == name)
    with quick_sqlite(), open_shop(f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        small, large = (_run(shop, one, size, counting_lines=True).lines for size in (LINES_MAX // 4, LINES_MAX))
        assert_truth(shop)
    assert large <= small * WORK_FACTOR_MAX, (small, large)


def test_every_command_has_a_scenario() -> None:
    assert {one.command for one in SCENARIOS} == set(DECISIONS)


def test_every_want_has_one_loader() -> None:
    wants = {
        kind
        for kind in vars(holdfast.core.records.wants).values()
        if isinstance(kind, type) and issubclass(kind, holdfast.core.records.wants.Want)
    } - {holdfast.core.records.wants.Want}
    places = (set(LOADERS), set(SEPARATE), set(AT_BEGINNING))
    assert set.union(*places) == wants
    assert sum(map(len, places)) == len(wants)
