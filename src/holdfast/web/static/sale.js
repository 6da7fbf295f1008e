// The page of one sale: it follows what happens, and sends what is to be done to the API. The server computes and
// decides; a refusal is shown beside the field that it names.

import { Attempt, NOT_KNOWN, refusal, typedNumber } from "./api.js";
import { followLive } from "./live.js";
import { fetchPart, flash, morph } from "./partials.js";
import { REQUESTS } from "./sale-requests.js";
import { say, toast } from "./words.js";

const UPDATE_MILLISECONDS = 500; // at most two updates a second
const RETRY_MILLISECONDS = 3000;
const ABOUT_MONEY = new Set(["INVALID_AMOUNT", "PAYMENT_MISMATCH"]); // refusals that the amount is the cause of

const liveButton = document.getElementById("live");
const saleId = document.getElementById("sale").dataset.sale;

// Dialogs ------------------------------------------------------------------------------------------------------------

let opened = null; // the dialog that is open, its form, the button that opened it, and what it is sent with
let stale = false; // the forms are older than the sale, because one of them was open

function open(button) {
  const dialog = document.getElementById(button.dataset.opens);
  if (!dialog) return;
  const form = dialog.querySelector("form");
  form.reset();
  clearProblems(form);
  if (button.dataset.method) form.elements.method.value = button.dataset.method;
  opened = { dialog, form, button, attempt: new Attempt(), id: button.dataset.id ?? null };
  showCode(form);
  dialog.showModal();
  form.querySelector("input:not([type=checkbox]), select, [data-submit]")?.focus();
}

document.addEventListener("click", (event) => {
  const part = event.target.closest("[data-opens], [data-close], [data-print]");
  if (part?.matches("[data-opens]")) open(part);
  else if (part?.matches("[data-print]")) window.print();
  else if (opened && (part || event.target === opened.dialog)) opened.dialog.close();
});
document.addEventListener("submit", (event) => {
  if (!event.target.closest("#forms")) return;
  event.preventDefault();
  send(event.target);
});
document.addEventListener("change", ({ target }) => {
  if (target.name === "method" && target.form) showCode(target.form);
});
document.addEventListener(
  "close",
  (event) => {
    if (event.target !== opened?.dialog) return;
    const { button } = opened;
    opened = null;
    const place = button.isConnected ? button : document.querySelector(`[data-opens="${button.dataset.opens}"]`);
    (place ?? document.getElementById("content")).focus();
    if (stale) update();
  },
  { capture: true },
);

/** A gift card has a code. */
function showCode(form) {
  const code = form.querySelector("[data-for-card]");
  if (code) code.hidden = form.elements.method.value !== "gift_card";
}

function clearProblems(form) {
  for (const place of form.querySelectorAll("[data-problem], [data-field-problem]")) [place.textContent, place.hidden] = ["", true];
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** The lines of a form that somebody filled in, or null where one of them is no number. */
function linesOf(form) {
  const lines = [];
  let wrong = null;
  for (const place of form.querySelectorAll("[data-line]")) {
    const field = place.querySelector("[name=quantity]");
    const quantity = field.value.trim() ? typedNumber(field) : 0;
    if (quantity === null) {
      tell(place, field, "Give a number, 0 or more.");
      wrong ??= field;
    } else if (quantity > 0) {
      lines.push({ place, line_id: place.dataset.line, quantity, condition: place.querySelector("[name=condition]")?.value });
    }
  }
  wrong?.focus();
  return wrong ? null : lines;
}

function tell(place, field, words) {
  const note = place.querySelector("[data-field-problem]");
  note.textContent = words;
  note.hidden = false;
  field.setAttribute("aria-invalid", "true");
}

function problem(form, words) {
  const place = form.querySelector("[data-problem]");
  place.textContent = words;
  place.hidden = !words;
}

async function send(form) {
  if (!opened || form.getAttribute("aria-busy") === "true") return;
  clearProblems(form);
  const { dialog, attempt, id } = opened;
  const asked = REQUESTS[dialog.id];
  const lines = asked.lines ? linesOf(form) : [];
  if (lines === null) return;
  if (asked.lines && !lines.length) return problem(form, asked.lines);
  const submit = form.querySelector("[data-submit]");
  form.setAttribute("aria-busy", "true");
  submit.disabled = true;
  try {
    const answer = await attempt.send(asked.request(saleId, form.elements, lines, id));
    if (answer.ok) {
      if (opened?.dialog === dialog) dialog.close();
      done(asked.done(answer.document));
    } else refused(form, lines, answer.document);
  } catch {
    problem(form, NOT_KNOWN);
  } finally {
    form.removeAttribute("aria-busy");
    submit.disabled = false;
  }
}

/** The words of the API, beside each line or field that it names; else below the form. */
function refused(form, lines, document) {
  const words = refusal(document);
  const named = (document.lines ?? []).filter((one) => lines[one.index]);
  for (const one of named) markLine(lines[one.index], one.detail ?? words);
  if (named.length) return;
  const index = document.field?.match(/^lines\.(\d+)/)?.[1];
  const line = lines[index ?? -1] ?? (lines.length === 1 && document.requested !== undefined ? lines[0] : null);
  if (line) return markLine(line, words);
  const name = document.field?.split(".").at(-1) ?? (ABOUT_MONEY.has(document.code) ? "amount" : "");
  const field = name && form.elements[name];
  problem(form, words);
  if (field instanceof HTMLElement) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
}

function markLine({ place }, words) {
  const field = place.querySelector("[name=quantity]");
  tell(place, field, words);
  field.focus();
}

function done({ text, keep }) {
  if (keep) {
    const note = document.getElementById("done");
    note.textContent = keep;
    note.hidden = false;
  }
  toast(text);
  say(text);
  update();
}

// What happens meanwhile ---------------------------------------------------------------------------------------------

let planned = 0;
let updating = false;
let again = false;

function plan() {
  if (!planned) planned = setTimeout(update, UPDATE_MILLISECONDS);
}

async function update() {
  clearTimeout(planned);
  planned = 0;
  if (updating) {
    again = true;
    return;
  }
  updating = true;
  try {
    const part = await fetchPart(`/admin/sales/${saleId}/part${location.search}`);
    const focused = document.activeElement?.dataset?.opens;
    morph(document.getElementById("sale"), part.getElementById("sale"), flash);
    stale = opened !== null;
    if (!stale) document.getElementById("forms").replaceWith(document.importNode(part.getElementById("forms"), true));
    withScript();
    if (focused && document.activeElement === document.body) document.querySelector(`[data-opens="${focused}"]`)?.focus();
  } catch {
    if (!planned) planned = setTimeout(update, RETRY_MILLISECONDS);
  }
  updating = false;
  if (again) {
    again = false;
    plan();
  }
}

function withScript() {
  for (const part of document.querySelectorAll("[data-with-script]")) part.hidden = false;
}

/** Is the event about this sale, or about a hold that may be one of its own? */
function concerns(event) {
  const data = event.data ?? event;
  const about = data.sale_id ?? data.reserved_for_id;
  return about === undefined || about === null || about === saleId;
}

followLive(liveButton, {
  kinds: liveButton.dataset.kinds.split(" "),
  onEvent: (event) => concerns(event) && plan(),
  onMissed: plan,
  say,
});
withScript();
