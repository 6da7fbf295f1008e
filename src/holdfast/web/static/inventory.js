// The inventory page: filters without reloading, rows and figures that follow what happens, keys, and the dialog.
// The server renders every row and every figure; nothing is added up here.

import { ChangeDialog } from "./change.js";
import { followLive } from "./live.js";
import { fetchPart, flash, morph } from "./partials.js";

const TYPING_MILLISECONDS = 220; // of silence before a search goes out
const UPDATE_MILLISECONDS = 500; // at most two updates a second
const LIST_MILLISECONDS = 3000; // at most one look for new rows in this time
const LIVE_MAX = 50; // rows of one update, as the server allows
const LIST_MAX = 200; // rows of one list
const TOAST_MILLISECONDS = 5000;
const SPARK_POINTS = 90;
const SPARK_STEPS_MIN = 24; // a line grows to the right until it fills its place, then it moves
const MAKES_ROWS = new Set(["StockReceived", "StockAdjusted", "StockCounted", "StockTransferred", "LotQuarantined", "LowStock"]);

const form = document.getElementById("filters");
const rows = document.getElementById("rows");
const stock = document.getElementById("stock");
const nothing = document.getElementById("nothing");
const said = document.getElementById("said");
const liveButton = document.getElementById("live");
const search = document.getElementById("search");

// Filters ------------------------------------------------------------------------------------------------------------

let listing = null;
let generation = 0; // grows with every change of filters, so that a late answer to older ones is dropped

function query() {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) asked.set(name, value.trim());
  return asked;
}

async function filter() {
  generation += 1;
  listing?.abort();
  listing = new AbortController();
  const asked = query();
  const address = asked.size ? `?${asked}` : location.pathname;
  stock.setAttribute("aria-busy", "true");
  try {
    const [part] = await Promise.all([fetchPart(`/admin/inventory/rows?${asked}`, listing.signal), figuresOf(listing.signal)]);
    history.replaceState(null, "", address);
    asked.delete("store");
    replaceRows(part, asked.size > 0);
    const count = rows.rows.length;
    const more = document.querySelector("[data-more]") ? " or more" : "";
    say(count ? `${count}${more} entries` : "No stock matches these filters.");
  } catch (error) {
    if (error.name === "AbortError") return;
    toast("The list could not be read. Try again in a moment.");
  }
  stock.removeAttribute("aria-busy");
}

function replaceRows(part, narrowed) {
  const problem = part.querySelector("[data-list-problem]");
  document.querySelector("[data-list-problem]")?.remove();
  if (problem) stock.before(document.importNode(problem, true));
  rows.replaceChildren(...[...part.querySelector("tbody").rows].map((row) => document.importNode(row, true)));
  document.getElementById("more").replaceWith(document.importNode(part.getElementById("more"), true));
  nothing.hidden = rows.rows.length > 0;
  nothing.querySelector(".nothing-title").textContent = narrowed ? "No stock matches these filters." : "There is no stock yet.";
  for (const clear of document.querySelectorAll(".clear")) clear.hidden = !narrowed;
}

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
    opener(rows.rows[last])?.focus();
    say(`${rows.rows.length} entries`);
  } catch {
    link.removeAttribute("aria-disabled");
    toast("The next rows could not be read. Try again in a moment.");
  }
}

let typing = 0;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  filter();
});
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  const { target } = event;
  if (target.name === "threshold" && target.value.trim()) form.elements.low_stock.checked = true;
  if (target.name === "low_stock" && !target.checked) form.elements.threshold.value = "";
  typing = setTimeout(filter, target.matches("input[type=search], [name=threshold]") ? TYPING_MILLISECONDS : 0);
});
document.addEventListener("click", (event) => {
  const clear = event.target.closest("[data-clear]");
  const more = event.target.closest("[data-more]");
  const open = event.target.closest(".row-open");
  if (clear) {
    event.preventDefault();
    for (const field of form.elements) {
      if (field.type === "checkbox") field.checked = false;
      else if (field.name && field.type !== "hidden") field.value = "";
    }
    filter();
    search.focus();
  } else if (more) {
    event.preventDefault();
    showMore(more);
  } else if (open) {
    dialog.open(factsOf(open.closest("tr")), open);
  }
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
  if (MAKES_ROWS.has(event.type)) listMayDiffer = true;
  plan();
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
  const asked = new URLSearchParams(levels.map((level) => ["level", level]));
  if (form.elements.store) asked.set("store", form.elements.store.value);
  return asked;
}

function listQuery() {
  const asked = query();
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
  nothing.hidden = rows.rows.length > 0;
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
  nothing.hidden = rows.rows.length > 0;
}

async function figuresOf(signal) {
  applyFigures(await fetchPart(`/admin/inventory/live?${liveQuery([])}`, signal));
}

function applyFigures(part) {
  const figures = document.getElementById("figures");
  const fresh = part.getElementById("figures");
  for (const line of figures.querySelectorAll(".figure-spark polyline")) {
    // The line is drawn here, from what the server told while the page is open; keep it.
    const key = [...line.closest(".figure").classList].find((name) => name.startsWith("figure-"));
    fresh.querySelector(`.${key} polyline`)?.setAttribute("points", line.getAttribute("points"));
  }
  morph(figures, fresh, flash);
  drawSparks();
}

const seen = new Map();

function drawSparks() {
  for (const figure of document.querySelectorAll(".figure")) {
    const line = figure.querySelector(".figure-spark polyline");
    if (!line) continue;
    const value = Number(figure.querySelector("[data-spark-value]").dataset.sparkValue);
    const past = seen.get(figure.className) ?? seen.set(figure.className, []).get(figure.className);
    past.push(value);
    if (past.length > SPARK_POINTS) past.shift();
    const low = Math.min(...past);
    const span = Math.max(...past) - low;
    const steps = Math.max(past.length - 1, SPARK_STEPS_MIN);
    const points = past.map((one, index) => `${(100 * index) / steps},${18 - (16 * (one - low)) / (span || 1)}`);
    line.setAttribute("points", span ? points.join(" ") : "");
  }
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

// The dialog, words, keys --------------------------------------------------------------------------------------------

const dialog = new ChangeDialog(async ({ text, id, gone }) => {
  toast(text);
  const row = document.getElementById(`level-${id}`);
  if (gone && row) {
    (opener(row.nextElementSibling) ?? opener(row.previousElementSibling) ?? search).focus();
    row.remove();
    nothing.hidden = rows.rows.length > 0;
  }
  const part = await fetchPart(`/admin/inventory/live?${liveQuery(gone ? [] : [id])}`);
  await nextFrame();
  applyFigures(part);
  if (row?.isConnected) applyRows(part, [row]);
});

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

function say(text) {
  said.textContent = text;
}

function toast(text) {
  const note = document.createElement("p");
  note.className = "toast";
  note.textContent = text;
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), TOAST_MILLISECONDS);
}

function moveBy(step) {
  const all = [...rows.rows];
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[at === -1 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  opener(next)?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const inField = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && event.target === search) {
    if (search.value) {
      search.value = "";
      filter();
    } else {
      search.blur();
    }
  } else if (event.key === "ArrowDown" && event.target === search) {
    event.preventDefault();
    opener(rows.rows[0])?.focus();
  } else if (inField) {
    return;
  } else if (event.key === "j" || (event.key === "ArrowDown" && rows.contains(event.target))) {
    event.preventDefault();
    moveBy(1);
  } else if (event.key === "k" || (event.key === "ArrowUp" && rows.contains(event.target))) {
    event.preventDefault();
    moveBy(-1);
  }
});

drawSparks();
