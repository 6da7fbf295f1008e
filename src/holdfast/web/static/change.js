// The panel of one entry: its numbers, what can be done with it, and its details. The server decides; a refusal is shown
// in place. On a wide screen it stands beside the list, which goes on; elsewhere it lies over it.

import { Attempt, NOT_KNOWN, numberText, refusal, typedNumber } from "./api.js";
import { REQUESTS } from "./change-requests.js";
import { fetchPart, flash, morph } from "./partials.js";

const BESIDE = matchMedia("(min-width: 1024px)");

export class ChangeDialog {
  #dialog = document.getElementById("change");
  #detail = document.querySelector("#change [data-detail]");
  #facts = null;
  #expected = null;
  #attempt = new Attempt();
  #returnTo = null;
  #reading = null;
  #onDone;

  /** `onDone({ text, id, gone })` after the server took a change. */
  constructor(onDone) {
    this.#onDone = onDone;
    const tabs = this.#tabs();
    tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => this.#show(tab));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = tabs[(index + step + tabs.length) % tabs.length];
        this.#show(next);
        next.focus();
      });
    });
    for (const form of this.#forms()) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#send(form);
      });
      form.addEventListener("input", () => this.#edited(form));
    }
    this.#dialog.addEventListener("click", (event) => {
      const reason = event.target.closest("[data-reason]");
      if (reason) reason.closest(".field").querySelector("input").value = reason.dataset.reason;
      if (event.target === this.#dialog || event.target.closest("[data-close]")) this.#dialog.close();
    });
    this.#dialog.addEventListener("close", () => this.#closed());
    document.addEventListener("keydown", (event) => {
      const beside = this.#dialog.open && !document.querySelector("dialog:modal");
      if (event.key !== "Escape" || !beside || event.target.closest("#filters")) return;
      event.preventDefault();
      this.#dialog.close();
    });
  }

  get level() {
    return this.#facts?.id ?? null;
  }

  /** Show an entry, with one of its forms (`kind`); `sign` is "+" or "-" where it is to add or to remove. */
  open(facts, button, kind = "adjust", sign = "+") {
    const other = this.#facts?.id !== facts.id;
    this.#returnTo = button;
    for (const form of this.#forms()) {
      form.reset();
      this.#problem(form, "");
    }
    this.#expected = facts.on_hand;
    this.#put(facts, false);
    this.#form("adjust").elements.sign.value = sign === "-" ? "-" : "";
    this.#form("set").elements.quantity.value = String(facts.on_hand);
    this.#text("expected", facts.texts.quantity);
    for (const option of this.#form("move").elements.to.options) option.disabled = option.value === facts.texts.location;
    this.#form("move").elements.to.value = [...this.#form("move").elements.to.options].find((one) => !one.disabled)?.value ?? "";
    for (const form of this.#forms()) this.#edited(form);
    this.#show(document.getElementById(`tab-${kind}`));
    if (!this.#dialog.open) {
      if (BESIDE.matches) this.#dialog.show();
      else this.#dialog.showModal();
    }
    document.body.classList.add("has-panel");
    this.#mark(facts.id);
    const field = this.#form(kind).elements.quantity;
    field?.focus();
    field?.select();
    if (other) this.#detail.replaceChildren();
    this.#readDetail();
  }

  /** The row changed while the panel is open: show it, but keep what the person saw as what they expect. */
  update(facts) {
    if (this.#facts?.id !== facts.id) return;
    this.#put(facts, true);
    this.#readDetail();
  }

  #closed() {
    const row = this.#facts && document.getElementById(`level-${this.#facts.id}`);
    document.body.classList.remove("has-panel");
    this.#reading?.abort();
    this.#facts = null;
    this.#mark(null);
    (row?.querySelector(".row-open") ?? this.#returnTo)?.focus();
  }

  #mark(id) {
    for (const row of document.querySelectorAll("#rows tr[data-is-open]")) delete row.dataset.isOpen;
    const row = id && document.getElementById(`level-${id}`);
    if (row) row.dataset.isOpen = "";
  }

  async #readDetail() {
    this.#reading?.abort();
    this.#reading = new AbortController();
    const { id } = this.#facts;
    try {
      const part = await fetchPart(`/admin/inventory/entry?level=${id}`, this.#reading.signal);
      if (this.#facts?.id !== id) return;
      const fresh = document.importNode(part.getElementById("detail"), true);
      const old = document.getElementById("detail");
      if (old) morph(old, fresh);
      else this.#detail.replaceChildren(fresh);
    } catch (error) {
      if (error.name === "AbortError" || this.#facts?.id !== id) return;
      this.#detail.textContent = "The details could not be read. Close this and open it again.";
    }
  }

  #put(facts, light) {
    this.#facts = facts;
    for (const [name, text] of Object.entries(facts.texts)) this.#text(name, text, light);
    for (const part of this.#dialog.querySelectorAll("[data-when]")) {
      part.hidden = (part.dataset.when === "empty") !== facts.empty;
    }
    this.#edited(this.#form("delete"));
  }

  #text(name, text, light = false) {
    for (const place of this.#dialog.querySelectorAll(`[data-of="${name}"]`)) {
      if (place.textContent === text) continue;
      place.textContent = text;
      if (light && place.hasAttribute("data-live")) flash(place);
    }
  }

  #tabs() {
    return [...this.#dialog.querySelectorAll('[role="tab"]')];
  }

  #forms() {
    return this.#dialog.querySelectorAll("form");
  }

  #form(id) {
    return this.#dialog.querySelector(`#${id}`);
  }

  #show(chosen) {
    for (const tab of this.#tabs()) {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      this.#form(tab.getAttribute("aria-controls")).hidden = !on;
    }
  }

  #edited(form) {
    const submit = form.querySelector("[data-submit]");
    if (form.id === "adjust") submit.textContent = form.elements.sign.value === "-" ? "Remove" : "Add";
    if (form.id === "set") submit.textContent = "Set quantity";
    if (form.id === "delete") submit.disabled = !(this.#facts?.empty && form.elements.sure.checked);
    form.elements.quantity?.removeAttribute("aria-invalid");
  }

  #problem(form, text) {
    const place = form.querySelector("[data-problem]");
    place.textContent = text;
    place.hidden = !text;
  }

  async #send(form) {
    if (form.getAttribute("aria-busy") === "true") return;
    this.#problem(form, "");
    const request = this.#request(form);
    if (!request) return;
    const facts = this.#facts;
    const submit = form.querySelector("[data-submit]");
    form.setAttribute("aria-busy", "true");
    submit.disabled = true;
    try {
      const answer = await this.#attempt.send(request);
      if (answer.ok) this.#done(form, facts, answer.document);
      else if (this.#facts?.id === facts.id) this.#refused(form, answer.document);
    } catch {
      this.#problem(form, NOT_KNOWN);
    } finally {
      form.removeAttribute("aria-busy");
      submit.disabled = false;
      if (this.#facts && form.id === "delete") this.#edited(form);
    }
  }

  /** What to ask of the API, or null when the quantity is no number. */
  #request(form) {
    const { above, optional, request } = REQUESTS[form.id];
    const field = form.elements.quantity;
    if (!field) return request(this.#facts);
    const empty = optional && !field.value.trim();
    const quantity = empty ? null : typedNumber(field);
    if ((quantity === null && !empty) || (above && quantity === 0)) {
      field.setAttribute("aria-invalid", "true");
      this.#problem(form, above ? "Give a number above 0." : "Give a number, 0 or more.");
      field.focus();
      return null;
    }
    return request(this.#facts, form.elements, quantity, this.#expected);
  }

  #refused(form, problem) {
    if (problem.code === "QUANTITY_CHANGED" && typeof problem.quantity === "number") {
      const [before, present] = [numberText(this.#expected), numberText(problem.quantity)];
      this.#expected = problem.quantity;
      this.#text("expected", present);
      const wanted = form.elements.quantity.value.trim();
      this.#problem(form, `Somebody was faster: ${present} on hand now, not ${before}; below is who. Nothing was changed. Set it to ${wanted} all the same?`);
      form.querySelector("[data-submit]").textContent = `Set ${present} to ${wanted}`;
      this.#readDetail();
      return;
    }
    if (problem.code?.startsWith("INVALID_QUANTITY")) form.elements.quantity?.setAttribute("aria-invalid", "true");
    this.#problem(form, refusal(problem));
  }

  #done(form, facts, answer) {
    if (this.#facts?.id === facts.id) this.#dialog.close();
    this.#onDone({ text: REQUESTS[form.id].done(facts, answer), id: facts.id, gone: form.id === "delete" });
  }
}
