// The dialog of one act: what happened, which product, how many. A refusal stands beside its field.

import { NOT_KNOWN, numberText, typedNumber } from "../api.js";
import { fill } from "../pos/fill.js";
import { ProductField } from "./product_field.js";

const QUESTIONS = { made: "How many did you make?", sold: "How many did you sell?", counted: "How many do you see on the shelf?" };
const SCANNED = "That was a scan, not a number. Say how many first, then scan the next one.";
/** So many digits are a code that a slow scanner typed, and no quantity. */
const CODE = /\d{8}/;
const DONE = { made: "I made them", sold: "I sold them", counted: "I counted them" };

export class ActDialog {
  #maker;
  #dialog = document.getElementById("act");
  #form = document.getElementById("amount");
  #choose = document.getElementById("choose");
  #manages;
  #currency;
  #onDone;
  #product = null;
  #field;
  #place = ""; // where the last act was
  #returnTo = null;

  /** `onDone({ text, undo })` after the server took an act; `onNew(code)` where its product has to be made first. */
  constructor({ maker, manages, currency, onDone, onNew }) {
    this.#maker = maker;
    this.#manages = manages;
    this.#currency = currency;
    this.#onDone = onDone;
    this.#field = new ProductField({
      maker,
      onChosen: (product) => this.#ask(product),
      onProblem: (text) => this.#problem("product", text),
      onNew: (code) => {
        this.close();
        onNew(code, this.mode);
      },
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#form.addEventListener("input", () => this.#clear());
    this.#form.addEventListener("click", (event) => {
      const step = event.target.closest("[data-step]");
      if (step) this.#step(Number(step.dataset.step));
    });
    document.getElementById("other-product").addEventListener("click", () => this.#pick());
    this.#dialog.addEventListener("change", (event) => event.target.name === "mode" && this.#show());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog || event.target.closest("[data-close]")) this.close();
    });
    this.#dialog.addEventListener("cancel", (event) => this.#isBusy && event.preventDefault());
    this.#dialog.addEventListener("close", () => this.#closed());
  }

  get isOpen() {
    return this.#dialog.open;
  }

  get mode() {
    return this.#dialog.querySelector("[name=mode]:checked").value;
  }

  /** Open it for an act, and perhaps for a product; focus goes back to `button`. */
  open({ mode, product = null, button = null }) {
    this.#returnTo = button;
    this.#dialog.querySelector(`[name=mode][value=${mode}]`).checked = true;
    this.#form.elements.quantity.value = "";
    if (!this.#dialog.open) this.#dialog.showModal();
    if (product) this.#ask(product);
    else this.#pick();
  }

  /** Close it, unless an answer is awaited. */
  close() {
    if (!this.#isBusy) this.#dialog.close();
  }

  get #isBusy() {
    return this.#form.getAttribute("aria-busy") === "true";
  }

  /** A code that was scanned while the dialog is open: it chooses the product, and is never a number. */
  scanned(code) {
    if (!this.#choose.hidden) this.#field.take(code);
    else this.#problem("quantity", SCANNED);
  }

  async #closed() {
    this.#returnTo?.focus();
    const late = await this.#maker.giveUp();
    if (late) this.#onDone(late);
  }

  #pick() {
    this.#product = null;
    this.#form.hidden = true;
    this.#choose.hidden = false;
    this.#clear();
    this.#field.open();
  }

  async #ask(product) {
    await this.#offerPlaces(product);
    this.#product = product;
    this.#choose.hidden = true;
    this.#form.hidden = false;
    const { quantity, lot, cost, expires, price } = this.#form.elements;
    quantity.value = "";
    for (const field of [cost, expires, price]) if (field) field.value = "";
    lot.value = today();
    this.#clear();
    this.#show();
    quantity.focus();
  }

  get #withoutPrice() {
    if (this.#form.elements.price) return "It has no price yet: give one below. Without one it is sold for nothing.";
    return "It has no price yet: a manager gives it one.";
  }

  /** Where there are several locations: how much is left at each. The one of last time is chosen, or one that has some. */
  async #offerPlaces(product) {
    const { place } = this.#form.elements;
    if (!place.options) return;
    const left = await this.#maker.leftByPlace(product);
    const options = [...place.options];
    for (const one of options) one.textContent = left.has(one.value) ? `${one.value}, ${numberText(left.get(one.value))} left` : one.value;
    const has = (one) => left.get(one.value) > 0;
    place.value = (options.find((one) => one.value === this.#place && has(one)) ?? options.find(has) ?? options[0]).value;
  }

  #show() {
    const product = this.#product;
    if (!product) return;
    const { mode } = this;
    for (const part of this.#form.querySelectorAll("[data-of]")) part.hidden = part.dataset.of !== mode;
    document.getElementById("expiry-field").hidden = !product.track_expiry;
    fill(this.#form, {
      title: product.title,
      left: product.unlimited ? "not counted" : `${numberText(product.total_available)} left`,
      question: QUESTIONS[mode],
      price: product.price === null ? this.#withoutPrice : `${product.price} ${this.#currency} each, as usual.`,
      expiryHint: "of this batch",
    });
    document.getElementById("done").textContent = DONE[mode];
    this.#clear();
    this.#form.elements.quantity.focus();
  }

  #step(by) {
    const { quantity } = this.#form.elements;
    const least = this.mode === "counted" ? 0 : 1;
    quantity.value = String(Math.max(least, (typedNumber(quantity) ?? 0) + by));
    this.#clear();
  }

  async #send() {
    if (this.#isBusy) return;
    this.#clear();
    const { mode } = this;
    const fields = this.#form.elements;
    if (CODE.test(fields.quantity.value)) {
      fields.quantity.value = "";
      return this.#problem("quantity", SCANNED);
    }
    const quantity = typedNumber(fields.quantity);
    if (quantity === null || (quantity === 0 && mode !== "counted")) {
      return this.#problem("quantity", mode === "counted" ? "Give a number, 0 or more." : "Give a number above 0.");
    }
    const place = { code: fields.place.value, store: (fields.place.selectedOptions?.[0] ?? fields.place).dataset.store };
    const text = (name) => fields[name]?.value.trim() ?? "";
    const common = { product: this.#product, quantity, place };
    const asked = {
      made: { ...common, lot: text("lot"), cost: text("cost").replace(",", "."), expires: text("expires"), manages: this.#manages },
      sold: { ...common, paid: fields.paid.value, channel: fields.channel.value, price: text("price").replace(",", ".") },
      counted: common,
    }[mode];
    this.#busy(true);
    try {
      const answer = await this.#maker[mode](asked);
      if (!answer.ok) return this.#problem(answer.field, answer.text);
      this.#place = place.code;
      this.#dialog.close();
      this.#onDone(answer);
    } catch {
      this.#problem("all", NOT_KNOWN);
    } finally {
      this.#busy(false);
    }
  }

  #busy(on) {
    const done = document.getElementById("done");
    if (on) this.#form.setAttribute("aria-busy", "true");
    else this.#form.removeAttribute("aria-busy");
    done.textContent = on ? "Sending ..." : DONE[this.mode];
  }

  #clear() {
    for (const place of this.#dialog.querySelectorAll("[data-problem]")) place.hidden = true;
    for (const field of this.#dialog.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  }

  /** Say what is wrong beside its field; where the field is not there, above the button. */
  #problem(name, text) {
    const beside = name === "product" && this.#choose.hidden ? "all" : name;
    const place = this.#dialog.querySelector(`[data-problem="${beside}"]`);
    const seen = place && !place.closest("[hidden]:not([data-problem])") ? place : this.#dialog.querySelector('[data-problem="all"]');
    seen.textContent = text;
    seen.hidden = !text;
    if (!text) return;
    if (seen.closest("details")) seen.closest("details").open = true;
    const field = this.#dialog.querySelector(`[aria-describedby="${seen.id}"]`);
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
    seen.scrollIntoView({ block: "nearest" });
  }
}

/** The batch that is proposed: today, as 2031-05-31. */
function today() {
  const now = new Date();
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}
