"""The real Holdfast against the naive one, and planted bugs that must not go unnoticed.

`HOLDFAST_MODEL_EXAMPLES=2000` looks deeper, with new random commands each time; without it the run is the same every
time. `HOLDFAST_MODEL_BUGS=all` plants every bug.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from holdfast.db.batch import lot_queries
from tests.model.machine import HoldfastAndNaive
from tests.model.planted import ALL, MONEY_BUGS, edits, place_of, planted
from tests.model.sales_machine import SalesAndNaive
from tests.model.side_by_side import TALLY, SideBySide

EXAMPLES = int(os.environ.get("HOLDFAST_MODEL_EXAMPLES", "0"))
EXAMPLES_ALWAYS = 200
SALES_EXAMPLES_ALWAYS = 60
EVERY = os.environ.get("HOLDFAST_MODEL_BUGS") == "all"
"""Plant every bug, not only the quick ones?"""

STEPS = 35
OTHER_LOOKS = 4
"""How often a planted bug that was missed is looked for among other commands."""

EXAMPLES_TO_FIND_A_BUG = 1000 if EVERY else 200

KINDS = [
    "AdjustStock",
    "Amend",
    "ReceiveTransfer",
    "Book",
    "CancelSale",
    "ChangeAppointment",
    "CloseSheet",
    "CompleteSale",
    "Consume",
    "ConsumeAtLevel",
    "Count",
    "Dispatch",
    "FillSheet",
    "UnlistLevel",
    "OpenSale",
    "OrderClose",
    "OrderReserve",
    "Quarantine",
    "ReleaseFromQuarantine",
    "Receive",
    "Release",
    "RemoveSheetLine",
    "ReleaseAtLevel",
    "Reserve",
    "ReserveAtLevel",
    "SendBack",
    "SetStock",
    "Sweep",
    "CommandGroup",
    "WriteOff",
]
NEVER_REFUSED = {"Book", "Sweep"}

KINDS_OF_SALES = [
    "CancelSale",
    "Checkout",
    "CompleteSale",
    "CorrectPayment",
    "EditLine",
    "Fulfill",
    "OpenSale",
    "ReturnSale",
    "RevertShipment",
    "TakePayment",
]

QUICK_BUGS = (
    "a group's members do not see each other",
    "waiting is not served on release",
    "newest is served first",
    "newest lot first instead of FIFO",
    "override needs no permission",
    "the best priority gives way",
    "holds of a lost lot are not moved",
    "released units go back to the oldest lot",
    "value is rounded down",
    "a backordered part may be sold",
    "amending up counts the hold's own units twice",
    "a recalled lot stays recalled when it comes back",
    "a sheet counts from when it was opened",
    "what did not arrive is off the road",
)
QUICK_MONEY_BUGS = (
    "the first units bear what is left of an amount",
    "a refund is rounded by itself",
    "the revenue of a part is rounded by itself",
    "what is left of a line is priced without its discount",
    "a deposit that is too much stays",
    "cash that pays off what is owed is no coin",
    "the first rate bears the tax of a part",
)
"""The bugs that every run plants."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A planted bug makes the executor complain."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


def common(examples: int, *, shrink: bool, same_each_time: bool) -> settings:
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=phases,
        derandomize=same_each_time,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )


@pytest.mark.slow
def test_holdfast_does_what_the_naive_one_does() -> None:
    """And the run was not empty: every kind of command was accepted and refused."""
    _does_what_the_naive_one_does(HoldfastAndNaive, EXAMPLES_ALWAYS, KINDS)


@pytest.mark.slow
def test_it_does_so_where_levels_have_more_lots_than_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lots come with a level's lock: nearly every level has more."""
    monkeypatch.setattr(lot_queries, "FIRST", 2)
    _does_what_the_naive_one_does(HoldfastAndNaive, EXAMPLES_ALWAYS, KINDS)


@pytest.mark.slow
def test_sales_come_to_what_they_come_to_naively() -> None:
    """The money of parts, of what is left and of what comes back; every kind of command was accepted and refused."""
    _does_what_the_naive_one_does(SalesAndNaive, SALES_EXAMPLES_ALWAYS, KINDS_OF_SALES)


def _does_what_the_naive_one_does(machine: type[SideBySide], always: int, kinds: list[str]) -> None:
    TALLY.clear()
    how = common(EXAMPLES or always, shrink=bool(EXAMPLES), same_each_time=not EXAMPLES)
    run_state_machine_as_test(machine, settings=how)
    if _unseen(kinds):  # rare, and no fault: look on with other commands
        how = common(always, shrink=False, same_each_time=False)
        run_state_machine_as_test(machine, settings=how)
    assert _unseen(kinds) == [], TALLY


def _unseen(kinds: list[str]) -> list[tuple[str, str]]:
    """Kinds of commands that were never accepted, or never refused."""
    wanted = [(kind, "accepted") for kind in kinds]
    wanted += [(kind, "refused") for kind in kinds if kind not in NEVER_REFUSED]
    return [pair for pair in wanted if not TALLY[pair]]


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(ALL) if EVERY else QUICK_BUGS + QUICK_MONEY_BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    """By the same commands each time; where these miss it, by some others."""
    machine = SalesAndNaive if bug in MONEY_BUGS else HoldfastAndNaive
    looks = [True] + [False] * OTHER_LOOKS
    with planted(bug):
        assert any(_goes_wrong(machine, same_each_time=same) for same in looks)


def _goes_wrong(machine: type[SideBySide], *, same_each_time: bool) -> bool:
    """Does an assertion of ours or of the product fail? A name that the edit only meant to have is no find."""
    how = common(EXAMPLES_TO_FIND_A_BUG, shrink=False, same_each_time=same_each_time)
    try:
        run_state_machine_as_test(machine, settings=how)
    except NameError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it was noticed
        return True
    return False


@pytest.mark.parametrize("bug", sorted(ALL))
def test_every_bug_can_still_be_planted_and_taken_out(bug: str) -> None:
    """The source it edits is still there, and nothing of it stays behind."""
    before = _functions()
    with planted(bug):
        assert _functions() != before
    assert _functions() == before


def _functions() -> dict[str, object]:
    found: dict[str, object] = {}
    for edit in (edit for name in ALL for edit in edits(name)):
        holder, name, _ = place_of(edit.name)
        found[edit.name] = vars(holder)[name]
    return found
