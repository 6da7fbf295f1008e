// The inventory page: filters without reloading, rows and figures that follow what happens, keys, and the panel of an entry.
// The server renders every row and every figure; nothing is added up here.

import { ChangeDialog } from "./change.js";
import { Chosen } from "./chosen.js";
import { Goods } from "./goods.js";
import { followLive } from "./live.js";
import { fetchPart, filtersOf, flash, morph, showRows } from "./partials.js";
import { keepViews } from "./views.js";
import { say, toast } from "./words.js";

const TYPING_MILLISECONDS = 220; // of silence before a search goes out
const UPDATE_MILLISECONDS = 500; // at most two updates a second
const LIST_MILLISECONDS = 3000; // at most one look for new rows in this time
const LIVE_MAX = 50; // rows of one update, as the server allows
const LIST_MAX = 200; // rows of one list
const MAKES_ROWS = new Set(["StockReceived", "StockAdjusted", "StockCounted", "StockTransferred", "LotQuarantined", "LowStock"]);

const form = document.getElementById("filters");
const rows = document.getElementById("rows");
const stock = document.getElementById("stock");
const liveButton = document.getElementById("live");
const search = document.getElementById("search");

// Filters ------------------------------------------------------------------------------------------------------------

let listing = null;
let generation = 0; // grows with every change of filters, so that a late answer to older ones is dropped

/** The list anew; `step`: a step that the way back undoes. */
async function filter({ step = false } = {}) {
  clearTimeout(typing);
  generation += 1;
  listing?.abort();
  listing = new AbortController();
  const asked = filtersOf(form);
  const address = asked.size ? `?${asked}` : location.pathname;
  stock.setAttribute("aria-busy", "true");
  showFold();
  try {
    const part = await fetchPart(`/admin/inventory/rows?${asked}`, listing.signal);
    if (step) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    document.getElementById("export").href = `/admin/inventory.csv?${asked}`;
    for (const name of ["store", "sort"]) asked.delete(name);
    replaceRows(part, asked.size > 0);
    say(rows.rows.length ? document.getElementById("total").textContent : "No stock matches these filters.");
  } catch (error) {
    if (error.name === "AbortError") return;
    toast("The list could not be read. Try again in a moment.");
  }
  stock.removeAttribute("aria-busy");
}

function replaceRows(part, narrowed) {
  showRows(part, stock, rows, narrowed);
  for (const id of ["more", "nothing"]) document.getElementById(id).replaceWith(document.importNode(part.getElementById(id), true));
  morph(document.getElementById("heads"), part.getElementById("heads"));
  applyFigures(part);
  chosen.refresh();
}

/** The form as an address has it: a figure, a head, a way back. */
function follow(address, step) {
  const asked = new URL(address, location.href).searchParams;
  if ((asked.get("store") ?? "") !== (form.elements.store?.value ?? "")) return location.assign(address);
  for (const field of form.elements) {
    if (field.type === "checkbox") field.checked = asked.get(field.name) === "true";
    else if (field.name && field.name !== "store") field.value = asked.get(field.name) ?? "";
  }
  filter({ step });
}

function clearFilters() {
  for (const field of form.elements) {
    if (field.type === "checkbox") field.checked = false;
    else if (field.name && !["store", "sort"].includes(field.name)) field.value = "";
  }
  filter({ step: true });
  search.focus();
}

/** On a phone the filters fold into a button that says how many are on. */
const fold = form.querySelector(".filters-fold");
function showFold() {
  const { location: place, low_stock, state } = form.elements;
  const on = [place.value, low_stock.checked, state.value].filter(Boolean).length;
  fold.querySelector(".filters-on").textContent = on ? `(${on} on)` : "";
}
fold.hidden = false;
fold.addEventListener("click", () => {
  const open = form.classList.toggle("is-unfolded");
  fold.setAttribute("aria-expanded", String(open));
});
form.classList.add("has-fold");

async function showMore(link) {
  link.setAttribute("aria-disabled", "true");
  const last = rows.rows.length;
  const since = generation;
  try {
    const part = await fetchPart(link.href.replace("/admin/inventory?", "/admin/inventory/rows?"));
    if (since !== generation) return;
    for (const row of part.querySelector("tbody").rows) {
      if (!document.getElementById(row.id)) rows.append(document.importNode(row, true));
    }
    document.getElementById("more").replaceWith(document.importNode(part.getElementById("more"), true));
    chosen.refresh();
    opener(rows.rows[last])?.focus();
    say(`${rows.rows.length} rows are shown.`);
  } catch {
    link.removeAttribute("aria-disabled");
    toast("The next rows could not be read. Try again in a moment.");
  }
}

let typing = 0;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  filter();
  search.select(); // what is scanned next replaces this
});
form.addEventListener("input", (event) => {
  const { target } = event;
  if (!target.form) return; // the name of a view
  clearTimeout(typing);
  if (target.name === "threshold" && target.value.trim()) form.elements.low_stock.checked = true;
  if (target.name === "low_stock" && !target.checked) form.elements.threshold.value = "";
  typing = setTimeout(filter, target.matches("input[type=search], [name=threshold]") ? TYPING_MILLISECONDS : 0);
});
window.addEventListener("popstate", () => follow(location.href, false));
document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const part = event.target.closest("[data-clear], [data-filters], [data-more], .row-open, [data-receive]");
  if (!part) return;
  if (part.matches("a")) event.preventDefault();
  if (part.matches("[data-clear]")) clearFilters();
  else if (part.matches("[data-filters]")) follow(part.href, true);
  else if (part.matches("[data-more]")) showMore(part);
  else if (part.matches("[data-receive]")) goods.open();
  else dialog.open(factsOf(part.closest("tr")), part);
});

// What happens meanwhile ---------------------------------------------------------------------------------------------

const touched = new Set(); // products that something happened to since the last update
let listMayDiffer = false;
let listedAt = performance.now();
let updating = false;
let updateTimer = 0;

function heard(event) {
  const product = event.product_id ?? event.data?.product_id;
  if (product) touched.add(product);
  if (MAKES_ROWS.has(event.type) || looksAtUnits()) listMayDiffer = true;
  plan();
}

/** Does it depend on what lies there which rows are shown? Then each event may bring some, or take some away. */
function looksAtUnits() {
  return Boolean(form.elements.state.value || form.elements.low_stock.checked);
}

function plan() {
  if (!updateTimer && !updating) updateTimer = setTimeout(update, UPDATE_MILLISECONDS);
}

async function update() {
  updateTimer = 0;
  updating = true;
  const since = generation;
  const list = listMayDiffer && rows.rows.length <= LIST_MAX && performance.now() - listedAt >= LIST_MILLISECONDS;
  const products = new Set(touched);
  touched.clear();
  try {
    const shown = [...rows.rows].filter((row) => products.has(row.dataset.product));
    const asked = shown.slice(0, LIVE_MAX);
    for (const row of shown.slice(LIVE_MAX)) touched.add(row.dataset.product);
    const part = await fetchPart(`/admin/inventory/live?${liveQuery(asked.map(levelOf))}`);
    const whole = list ? await fetchPart(`/admin/inventory/rows?${listQuery()}`) : null;
    await nextFrame();
    applyFigures(part);
    if (since === generation) {
      applyRows(part, asked);
      if (whole) applyList(whole);
    }
  } catch {
    for (const product of products) touched.add(product);
    await new Promise((resolve) => setTimeout(resolve, LIST_MILLISECONDS));
  }
  updating = false;
  if (touched.size || listMayDiffer) plan();
}

function liveQuery(levels) {
  const asked = filtersOf(form);
  for (const level of levels) asked.append("level", level);
  return asked;
}

function listQuery() {
  const asked = filtersOf(form);
  asked.set("limit", String(Math.max(50, rows.rows.length)));
  return asked;
}

function applyRows(part, asked) {
  const fresh = new Map([...part.querySelector("tbody").rows].map((row) => [row.id, row]));
  for (const row of asked) {
    const now = fresh.get(row.id);
    if (now) changeRow(row, now);
    else if (levelOf(row) !== dialog.level) row.remove();
  }
  chosen.refresh();
  showNothing();
}

function changeRow(row, now) {
  morph(row, now, flash);
  dialog.update(factsOf(row));
}

/** The whole list again: new rows come in where they belong, rows that belong no more go. */
function applyList(part) {
  listMayDiffer = false;
  listedAt = performance.now();
  const fresh = [...part.querySelector("tbody").rows];
  const names = new Set(fresh.map((row) => row.id));
  for (const row of [...rows.rows]) {
    const inUse = row.contains(document.activeElement) || levelOf(row) === dialog.level;
    if (!names.has(row.id) && !inUse) row.remove();
  }
  let place = rows.firstElementChild;
  for (const now of fresh) {
    const row = document.getElementById(now.id);
    if (row) {
      changeRow(row, now);
      place = row.nextElementSibling;
      continue;
    }
    const added = document.importNode(now, true);
    rows.insertBefore(added, place);
    added.querySelectorAll("[data-live]").forEach(flash);
  }
  chosen.refresh();
  showNothing();
}

function applyFigures(part) {
  for (const id of ["figures", "total"]) morph(document.getElementById(id), part.getElementById(id), flash);
}

function showNothing() {
  document.getElementById("nothing").hidden = rows.rows.length > 0;
}

followLive(liveButton, {
  kinds: liveButton.dataset.kinds.split(" "),
  onEvent: heard,
  onMissed() {
    for (const row of rows.rows) touched.add(row.dataset.product);
    listMayDiffer = true;
    listedAt = -LIST_MILLISECONDS;
    plan();
  },
  say,
});

// The panel, many rows, keys -----------------------------------------------------------------------------------------

const dialog = new ChangeDialog(async ({ text, id, gone }) => {
  toast(text);
  const row = document.getElementById(`level-${id}`);
  if (gone && row) {
    (opener(row.nextElementSibling) ?? opener(row.previousElementSibling) ?? search).focus();
    row.remove();
    showNothing();
  }
  await readAgain(gone ? [] : [id]);
});

const chosen = new Chosen(factsOf, ({ text, ids }) => {
  toast(text);
  readAgain(ids.slice(0, LIVE_MAX));
});

const goods = new Goods(({ text }) => {
  toast(text);
  filter();
});

async function readAgain(ids) {
  const part = await fetchPart(`/admin/inventory/live?${liveQuery(ids)}`);
  await nextFrame();
  applyFigures(part);
  const shown = ids.map((id) => document.getElementById(`level-${id}`)).filter(Boolean);
  if (shown.length) applyRows(part, shown);
  plan(); // these figures may have been read half a second before what was done
}

function factsOf(row) {
  return JSON.parse(row.dataset.entry);
}

function levelOf(row) {
  return row.id.slice("level-".length);
}

function opener(row) {
  return row?.querySelector(".row-open") ?? null;
}

function nextFrame() {
  return new Promise((resolve) => {
    // A page in the background draws no frames; it must not wait for one.
    if (document.hidden) resolve();
    else requestAnimationFrame(() => resolve());
  });
}

/** The row that keys are about: where the focus is, or whose panel is open. */
function rowHere() {
  const all = [...rows.rows];
  return all.find((row) => row.contains(document.activeElement)) ?? all.find((row) => levelOf(row) === dialog.level);
}

function moveBy(step) {
  const all = [...rows.rows];
  const at = all.indexOf(rowHere());
  const next = all[at === -1 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  opener(next)?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

const MOVES = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };
const OPENS = { e: ["adjust"], "+": ["adjust"], "-": ["adjust", "-"], "=": ["set"], c: ["count"] };

function press(event) {
  const row = rowHere();
  const inRows = rows.contains(event.target);
  if (event.key in MOVES && (inRows || event.key.length === 1)) moveBy(MOVES[event.key]);
  else if (event.key in OPENS && row) dialog.open(factsOf(row), opener(row), ...OPENS[event.key]);
  else if (event.key === " " && row && inRows) chosen.choose(row, { between: event.shiftKey });
  else return;
  event.preventDefault();
}

function pressInSearch(event) {
  if (event.key === "Escape" && search.value) {
    search.value = "";
    filter();
  } else if (event.key === "Escape") {
    search.blur();
  } else if (event.key === "ArrowDown") {
    event.preventDefault();
    opener(rows.rows[0])?.focus();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog:modal, dialog#keys[open]")) return;
  if (event.target === search) pressInSearch(event);
  else if (!event.target.closest("input, select, textarea, dialog, [data-menu]")) press(event);
});
rows.addEventListener("keyup", (event) => {
  if (event.key === " ") event.preventDefault(); // a button is pressed when the key comes up
});

for (const button of document.querySelectorAll("[data-receive]")) button.hidden = false;
keepViews(() => String(filtersOf(form)));
showFold();
