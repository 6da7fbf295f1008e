// The makers' page: three buttons, what was done just now, and what is left.

import { NOT_KNOWN } from "../api.js";
import { followLive } from "../live.js";
import { fillRows } from "../pos/fill.js";
import { Scanner, placeOf } from "../pos/scanner.js";
import { say } from "../words.js";
import { ActDialog } from "./act_dialog.js";
import { Maker } from "./maker.js";
import { NewDialog } from "./new_dialog.js";
import { rowOf } from "./product_field.js";

const NOW_MAX = 5;
/** Products that are read at once: at first and with "More products", and the most of one request. */
const PAGE = 50;
const PAGE_MAX = 200;
/** Most products in the list; more are found by words. */
const SHOWN_MAX = 1000;
const SOON_MILLISECONDS = 250;
const SEARCH_MILLISECONDS = 180;
/** A letter acts when nothing followed it for so long: what follows at once is a scan. */
const LETTER_MILLISECONDS = 80;

const byId = (id) => document.getElementById(id);
const root = byId("simple");
const { store, currency } = root.dataset;
const manages = root.dataset.manages === "yes";
const maker = new Maker({ store });
let lastMode = root.dataset.stocks === "yes" ? "made" : "sold";

const dialog = new ActDialog({ maker, manages, currency, onDone: done, onNew: (code, mode) => makeProduct(code, mode) });
const making = manages ? new NewDialog({ maker, onMade: begin }) : null;

function open(mode, product = null, button = null) {
  lastMode = mode;
  dialog.open({ mode, product, button: button ?? root.querySelector(`[data-do=${mode}]`) });
}

function makeProduct(text, mode) {
  lastMode = mode ?? lastMode;
  making?.open(text, root.querySelector("[data-do=new]"));
}

/** A product is new: the list has it, and something happened with it. */
function begin(product) {
  refresh();
  open(lastMode, product);
}

// What was done just now ---------------------------------------------------------------------------------------------

const now = [];
let acts = 0;

function done({ text, undo }) {
  acts += 1;
  now.unshift({ id: acts, text, undo, undoes: Boolean(undo), undoName: `Undo: ${text}`, state: "done", busy: null, problem: "" });
  now.splice(NOW_MAX);
  showNow();
  say(text);
  refresh();
}

function showNow() {
  byId("now").hidden = now.length === 0;
  fillRows(byId("now-list"), now, (one) => one.id);
}

async function undo(one) {
  if (!one?.undoes || one.busy) return;
  Object.assign(one, { busy: "disabled", problem: "" });
  showNow();
  try {
    const answer = await one.undo();
    if (answer.ok) {
      Object.assign(one, { text: answer.text, undoes: false, state: "undone" });
      root.querySelector(".three button").focus();
      say(answer.text);
      refresh();
    } else {
      one.problem = answer.text;
    }
  } catch {
    one.problem = NOT_KNOWN;
  }
  one.busy = null;
  showNow();
}

byId("now-list").addEventListener("click", (event) => {
  const row = event.target.closest("[data-act=undo]")?.closest("[data-key]");
  if (row) undo(now.find((one) => String(one.id) === row.dataset.key));
});

// What is left -------------------------------------------------------------------------------------------------------

const words = byId("find-words");
let list = { items: [], next: null };
let asked = 0;

/** Read the list again, as far as it is shown. */
async function refresh() {
  const turn = (asked += 1);
  const text = words.value.trim();
  const shown = Math.max(PAGE, list.items.length);
  const fresh = { items: [], next: "" };
  do {
    const page = await maker.list({ words: text, cursor: fresh.next, limit: Math.min(PAGE_MAX, shown - fresh.items.length) });
    if (turn !== asked) return;
    if (!page) return (byId("left-words").textContent = "The list could not be read. Reload the page to try again.");
    fresh.items.push(...page.items);
    fresh.next = page.next_cursor;
  } while (fresh.next && fresh.items.length < shown);
  list = fresh;
  show(text);
}

async function more() {
  const turn = (asked += 1);
  const text = words.value.trim();
  const page = await maker.list({ words: text, cursor: list.next, limit: PAGE });
  if (!page || turn !== asked) return;
  const first = page.items[0]?.id;
  list = { items: [...list.items, ...page.items], next: page.next_cursor };
  show(text);
  byId("left-list").querySelector(`[data-key="${first}"] button`)?.focus();
}

function show(text) {
  fillRows(byId("left-list"), list.items.map(rowOf), (row) => row.id);
  byId("more").hidden = !list.next || list.items.length >= SHOWN_MAX;
  byId("empty").hidden = list.items.length > 0 || text !== "";
  byId("left-words").textContent = text && !list.items.length ? `Nothing has the words “${text}”. Fewer letters find more.` : "";
}

let searching = 0;
words.addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(search, SEARCH_MILLISECONDS);
});

/** Other words are another list, from its beginning. */
function search() {
  list = { items: [], next: null };
  return refresh();
}

/** A code goes straight to its product; words stay and filter. */
async function scan(code) {
  try {
    const product = await maker.scan(code);
    if (!product) return;
    words.value = "";
    search();
    open(lastMode, product, words);
  } catch {
    byId("left-words").textContent = "The server could not be reached. Try again.";
  }
}

byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = words.value.trim();
  words.select(); // what is scanned next replaces it
  clearTimeout(searching);
  search();
  if (text) scan(text);
});

byId("left-list").addEventListener("click", async (event) => {
  const row = event.target.closest("[data-key]");
  const product = row && list.items.find((one) => one.id === row.dataset.key);
  if (product) open(lastMode, product, row.querySelector("button"));
});
byId("more").addEventListener("click", more);

// Buttons, keys, scans, what happens elsewhere -----------------------------------------------------------------------

document.querySelector("main").addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  if (button.dataset.do === "new") makeProduct("");
  else open(button.dataset.do, null, button);
});

const LETTERS = { m: "made", s: "sold", c: "counted" };
let letter = 0;

document.addEventListener("keydown", (event) => {
  clearTimeout(letter);
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (placeOf(event.target) !== "none" || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  const button = root.querySelector(`[data-do="${LETTERS[key]}"]`);
  if (!button && key !== "u") return;
  letter = setTimeout(() => (key === "u" ? undo(now.find((one) => one.undoes)) : button.click()), LETTER_MILLISECONDS);
});

new Scanner((code) => {
  if (dialog.isOpen) dialog.scanned(code);
  else if (!document.querySelector("dialog[open]")) scan(code);
});

let soon = 0;
const live = byId("live");
if (live) {
  const again = () => {
    clearTimeout(soon);
    soon = setTimeout(refresh, SOON_MILLISECONDS);
  };
  followLive(live, { kinds: live.dataset.kinds.split(" "), onEvent: again, onMissed: again, say });
}

await refresh();
if (root.dataset.open) open(root.dataset.open);
