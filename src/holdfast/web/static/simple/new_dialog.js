// A product that is new: its name, and a short code that is proposed from it.

import { NOT_KNOWN } from "../api.js";

const CODE_CHARACTERS = 20;

/** A short code that is proposed for a name: "Rose & honey soap" is ROSE-HONEY-SOAP. */
export function codeOf(name) {
  const plain = name.normalize("NFD").replace(/\p{M}/gu, "").toUpperCase();
  return plain.replace(/[^A-Z0-9]+/g, "-").replace(/^-+/, "").slice(0, CODE_CHARACTERS).replace(/-+$/, "");
}

export class NewDialog {
  #maker;
  #dialog = document.getElementById("new");
  #form = document.querySelector("#new form");
  #own = false; // the code was typed, not proposed
  #onMade;
  #returnTo = null;

  /** `onMade(product)` after the server has it. */
  constructor({ maker, onMade }) {
    this.#maker = maker;
    this.#onMade = onMade;
    const { title, sku } = this.#form.elements;
    title.addEventListener("input", () => {
      if (!this.#own) sku.value = codeOf(title.value);
    });
    sku.addEventListener("input", () => (this.#own = sku.value !== ""));
    this.#form.addEventListener("input", () => this.#clear());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog || event.target.closest("[data-close]")) this.#dialog.close();
    });
    this.#dialog.addEventListener("close", () => this.#returnTo?.focus());
  }

  /** Open it; `text` is what was typed or scanned: digits are its barcode, everything else its name. */
  open(text = "", button = null) {
    this.#returnTo = button;
    this.#form.reset();
    this.#own = false;
    this.#clear();
    const { title, sku, gtin } = this.#form.elements;
    if (/^\d{8,14}$/.test(text)) gtin.value = text;
    else title.value = text;
    sku.value = codeOf(title.value);
    this.#dialog.showModal();
    title.focus();
  }

  async #send() {
    if (this.#form.getAttribute("aria-busy") === "true") return;
    this.#clear();
    const text = (name) => this.#form.elements[name].value.trim();
    if (!text("title")) return this.#problem("title", "What is it called?");
    if (!text("sku")) return this.#problem("sku", "Give it a short code, as MUG-1.");
    this.#form.setAttribute("aria-busy", "true");
    try {
      const answer = await this.#maker.make({ title: text("title"), sku: text("sku"), price: text("price").replace(",", "."), gtin: text("gtin") });
      if (!answer.ok) return this.#problem(answer.field, answer.text);
      this.#dialog.close();
      this.#onMade(answer.product);
    } catch {
      this.#problem("new-all", NOT_KNOWN);
    } finally {
      this.#form.removeAttribute("aria-busy");
    }
  }

  #clear() {
    for (const place of this.#dialog.querySelectorAll("[data-problem]")) place.hidden = true;
    for (const field of this.#dialog.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  }

  #problem(name, text) {
    const place = this.#dialog.querySelector(`[data-problem="${name}"]`);
    place.textContent = text;
    place.hidden = false;
    const field = this.#dialog.querySelector(`[aria-describedby="${place.id}"]`);
    field?.setAttribute("aria-invalid", "true");
    field?.focus();
  }
}
