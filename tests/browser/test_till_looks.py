"""What everybody needs of the till: names, targets, nothing cut off, at three widths, in light and in dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Watched
from tests.browser.counter import BOWL, MUG, UNKNOWN, Counter, Stand
from tests.browser.test_accessibility import DANGLING, DOUBLED_IDS, NAMELESS, PALETTE, contrast

WIDTHS = [
    {"viewport": {"width": 1280, "height": 800}},
    {"viewport": {"width": 768, "height": 1024}, "color_scheme": "dark"},
    {"viewport": {"width": 390, "height": 844}},
]
COLOURS = [{"color_scheme": "light"}, {"color_scheme": "dark"}]
TARGET = 44

SEEN = NAMELESS.replace(".filter((one) => {", ".filter((one) => { if (!one.checkVisibility()) return false;", 1)
"""What can be seen and has no name."""

SMALL = """(least) => [...document.querySelectorAll(':is(main, dialog[open]) :is(button, a, input, select)')]
  .filter((one) => one.checkVisibility())
  .map((one) => [one.closest('label')?.getBoundingClientRect() ?? one.getBoundingClientRect(), one])
  .filter(([box]) => box.width > 1 && (Math.round(box.width) < least || Math.round(box.height) < least))
  .map(([box, one]) => `${Math.round(box.width)}x${Math.round(box.height)} ${one.outerHTML.slice(0, 90)}`)"""

CUT = """() => [...document.querySelectorAll('main *, dialog[open] *')]
  .filter((one) => one.checkVisibility() && one.clientWidth > 0 && !one.matches('input, .vanished, .vanished *'))
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible')
  .filter((one) => getComputedStyle(one).textOverflow !== 'ellipsis')
  .map((one) => one.outerHTML.slice(0, 90))"""

OVERLAPPING = """() => {
  const open = document.querySelector('dialog[open]');
  const places = open
    ? 'dialog[open] :is(button, input, select, legend, .hint)'
    : '.line :is(button, input, .line-total)';
  const parts = [...document.querySelectorAll(places)]
    .filter((one) => one.checkVisibility() && one.type !== 'radio')
    .map((one) => [one, one.getBoundingClientRect()]);
  const found = [];
  for (const [index, [one, box]] of parts.entries()) for (const [other, its] of parts.slice(index + 1)) {
    if (one.contains(other) || other.contains(one)) continue;
    if (one.closest('.dialog-close') || other.closest('.dialog-close')) continue; // it stays while the rest scrolls
    const wide = Math.min(box.right, its.right) - Math.max(box.left, its.left);
    const high = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
    if (wide > 2 && high > 2) found.push(`${one.outerHTML.slice(0, 60)} / ${other.outerHTML.slice(0, 60)}`);
  }
  return found;
}"""


@pytest.fixture
def counter(site: Site, watched: Watched) -> Counter:
    """A till that is not open yet."""
    Stand(site)
    return Counter(watched)


def looks_right(page: Page) -> None:
    """Everything has a name, is large enough, is not cut off at the side and lies over nothing else."""
    page.wait_for_timeout(200)
    for rule in (SEEN, DOUBLED_IDS, DANGLING, CUT, OVERLAPPING):
        assert page.evaluate(rule) == [], rule
    assert page.evaluate(SMALL, TARGET) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("watched", WIDTHS, indirect=True, ids=["wide", "tablet-dark", "phone"])
def test_every_part_of_the_till(counter: Counter) -> None:
    counter.sign_in()
    looks_right(counter.page)
    page = counter.page
    page.get_by_role("radio", name="Front").check()
    page.get_by_label("Cash in the drawer").fill("100.00")
    page.get_by_label("Your PIN").fill("4711")
    page.get_by_role("button", name="Open the drawer").click()
    expect(page.locator("#scan")).to_be_focused()
    looks_right(page)
    for code in (MUG, BOWL, UNKNOWN, "CANDLE-1"):
        counter.scan(code)
    expect(counter.lines).to_have_count(3)
    expect(page.locator("#strips")).to_contain_text(UNKNOWN)
    looks_right(page)
    for act in ("discount", "customer", "queue", "return", "drawer", "cashier", "empty", "pay"):
        page.locator(f"[data-do={act}]").first.click()
        expect(counter.dialog).to_be_visible()
        looks_right(page)
        page.keyboard.press("Escape")
        expect(counter.dialog).to_be_hidden()
    counter.scan("2*" + BOWL)
    expect(counter.dialog).to_contain_text("None left here.")
    looks_right(page)
    page.keyboard.press("Escape")
    page.locator("[data-do=pay]").click()
    counter.dialog.get_by_role("button", name="50.00").click()
    expect(page.locator("#receipt")).to_be_visible()
    looks_right(page)
    page.locator("[data-do=return]").click()
    counter.scan("S-000001")
    expect(counter.dialog.locator(".return-lines > li")).to_have_count(3)
    looks_right(page)
    page.keyboard.press("Escape")
    page.locator("[data-do=drawer]").click()
    for tab in ("Cash in or out", "Close"):
        counter.dialog.get_by_role("tab", name=tab).click()
        looks_right(page)
    counter.dialog.get_by_label("Cash counted in the drawer").fill("138.60")
    counter.dialog.get_by_role("button", name="Close the drawer").click()
    expect(page.locator("#z-report")).to_contain_text("Right to the cent")
    looks_right(page)


@pytest.mark.parametrize(
    "watched", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
def test_the_words_of_the_till_can_be_read(counter: Counter) -> None:
    page = counter.open()
    pairs = [
        ("bad", "bad-soft"),
        ("warn", "warn-soft"),
        ("ink", "accent-soft"),
        ("accent-strong", "surface"),
        ("muted", "paper"),
    ]
    colours = page.evaluate(PALETTE, sorted({name for pair in pairs for name in pair}))
    ratios = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


def test_the_customer_sees_lines_total_and_change(counter: Counter) -> None:
    page = counter.open()
    screen = page.context.new_page()
    screen.goto(counter.address + "/pos/customer")
    expect(screen.get_by_text("Welcome")).to_be_visible()
    page.bring_to_front()
    counter.scan("2*" + MUG)
    expect(counter.total).to_have_text("19.80")
    expect(screen.get_by_role("list", name="What you buy")).to_contain_text("Teapot, cobalt")
    expect(screen.locator(".customer-total strong")).to_have_text("19.80")
    page.keyboard.press("F9")
    counter.dialog.get_by_role("button", name="20.00").click()
    expect(screen.locator(".customer-change strong")).to_have_text("0.20")
    assert "Cashier" not in screen.locator("body").inner_text()
    page.keyboard.press("Enter")
    expect(screen.locator("#customer-lines li")).to_have_count(0)
