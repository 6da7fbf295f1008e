// The dialog that changes one entry: add or remove, set exactly, delete. The server decides; a refusal is shown in place.

import { flash, toSignIn } from "./partials.js";

const NUMBER = /^\d{1,13}([.,]\d{1,4})?$/;

export class ChangeDialog {
  #dialog = document.getElementById("change");
  #facts = null;
  #expected = null;
  #attempt = { body: "", key: "" };
  #returnTo = null;
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
    for (const form of this.#dialog.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#send(form);
      });
      form.addEventListener("input", () => this.#edited(form));
    }
    for (const button of this.#dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.#dialog.close());
    }
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener("close", () => {
      const row = this.#facts && document.getElementById(`level-${this.#facts.id}`);
      (row?.querySelector(".row-open") ?? this.#returnTo)?.focus();
      this.#facts = null;
    });
  }

  get level() {
    return this.#facts?.id ?? null;
  }

  open(facts, button) {
    this.#returnTo = button;
    for (const form of this.#dialog.querySelectorAll("form")) {
      form.reset();
      this.#problem(form, "");
    }
    this.#expected = facts.on_hand;
    this.#put(facts, false);
    this.#form("set").elements.quantity.value = String(facts.on_hand);
    this.#text("expected", facts.texts.quantity);
    for (const form of this.#dialog.querySelectorAll("form")) this.#edited(form);
    this.#show(this.#tabs()[0]);
    this.#dialog.showModal();
    this.#form("adjust").elements.quantity.focus();
  }

  /** The row changed while the dialog is open: show it, but keep what the person saw as what they expect. */
  update(facts) {
    if (this.#facts?.id === facts.id) this.#put(facts, true);
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
      const answer = await this.#call(request);
      if (answer.ok) {
        this.#attempt = { body: "", key: "" };
        this.#done(form, facts, answer.document);
      } else if (this.#facts?.id === facts.id) {
        this.#refused(form, answer.document);
      }
    } catch {
      // The same key goes along when they try again, so it cannot happen twice.
      this.#problem(form, "The server could not be reached, so it is not known whether this was done. Try again: it is never done twice.");
    } finally {
      form.removeAttribute("aria-busy");
      submit.disabled = false;
      if (this.#facts && form.id === "delete") this.#edited(form);
    }
  }

  /** What to ask of the API, or null when the quantity is no number. */
  #request(form) {
    const { id, product_id, store_id, texts } = this.#facts;
    if (form.id === "delete") return { method: "DELETE", path: `/api/v1/admin/inventory/${id}`, body: "" };
    const field = form.elements.quantity;
    const text = field.value.trim();
    const zero = Number(text.replace(",", ".")) === 0;
    if (!NUMBER.test(text) || (form.id === "adjust" && zero)) {
      field.setAttribute("aria-invalid", "true");
      this.#problem(form, form.id === "adjust" ? "Give a number above 0." : "Give a number, 0 or more.");
      field.focus();
      return null;
    }
    const sign = form.id === "adjust" ? form.elements.sign.value : "";
    const body = { store_id, product_id, location: texts.location, quantity: Number(sign + text.replace(",", ".")) };
    if (form.id === "set") body.expected_quantity = this.#expected;
    const reason = form.elements.reason.value.trim();
    if (reason) body.reason = reason;
    return { method: "POST", path: `/api/v1/admin/inventory/${form.id}`, body: JSON.stringify(body) };
  }

  async #call({ method, path, body }) {
    const same = `${method} ${path} ${body}`;
    if (this.#attempt.body !== same) this.#attempt = { body: same, key: newKey() };
    const headers = { Accept: "application/json", "Idempotency-Key": this.#attempt.key };
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(path, { method, headers, body: body || undefined, credentials: "same-origin" });
    if (response.status === 401) toSignIn();
    const document = response.status === 204 ? null : await response.json();
    return { ok: response.ok, document };
  }

  #refused(form, problem) {
    // A refusal changed nothing; what is sent next is a new attempt.
    this.#attempt = { body: "", key: "" };
    if (problem.code === "QUANTITY_CHANGED" && typeof problem.quantity === "number") {
      const [before, present] = [numberText(this.#expected), numberText(problem.quantity)];
      this.#expected = problem.quantity;
      this.#text("expected", present);
      const wanted = form.elements.quantity.value.trim();
      this.#problem(form, `Somebody was faster: ${present} on hand now, not ${before}. Nothing was changed. Set it to ${wanted} all the same?`);
      form.querySelector("[data-submit]").textContent = `Set ${present} to ${wanted}`;
      return;
    }
    if (problem.code?.startsWith("INVALID_QUANTITY")) form.elements.quantity?.setAttribute("aria-invalid", "true");
    this.#problem(form, problem.detail ?? "That was refused.");
  }

  #done(form, facts, entry) {
    const { title, location } = facts.texts;
    const text = entry
      ? `${title}: ${numberText(entry.quantity)} on hand at ${location} now.`
      : `${title} at ${location} is deleted.`;
    if (this.#facts?.id === facts.id) this.#dialog.close();
    this.#onDone({ text, id: facts.id, gone: form.id === "delete" });
  }
}

/** A quantity as the server shows it: thousands apart, up to four places. */
function numberText(number) {
  return number.toLocaleString("en", { maximumFractionDigits: 4 });
}

/** A random key; `randomUUID` exists only over HTTPS and on this machine. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "page-" + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
