// Dialogs of the till: one at a time, Esc closes it, focus goes back to the scan field. A scan while one is open is
// kept, said, and added when it is closed.

import { sounds } from "./sounds.js";

export const byId = (id) => document.getElementById(id);

/** To the scan field. What is in it is selected, also because a field that has the focus already keeps no caret when the
 * dialog that had it is gone: what is typed then would be lost. */
export function focusScan() {
  const field = byId("scan");
  field.focus();
  field.select();
}

export class Dialogs {
  #onClose = new Map();
  #held = [];
  #onHeld;

  /** `onHeld(codes)` gets the scans that were made while a dialog was open, when the last one is closed. */
  constructor(onHeld) {
    this.#onHeld = onHeld;
    for (const dialog of document.querySelectorAll("dialog.pos-dialog")) {
      dialog.addEventListener("cancel", (event) => {
        if (event.defaultPrevented) return;
        event.preventDefault();
        if (dialog.dataset.stays === undefined) this.close(dialog.id);
      });
      dialog.querySelector(".dialog-close")?.addEventListener("submit", (event) => {
        event.preventDefault();
        if (dialog.dataset.stays === undefined) this.close(dialog.id);
      });
      dialog.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && dialog.dataset.stays !== undefined) event.preventDefault();
      });
      dialog.addEventListener("close", () => this.#closed(dialog));
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog && dialog.dataset.stays === undefined) this.close(dialog.id);
      });
      const words = Object.assign(document.createElement("p"), { className: "notice notice-warn held", hidden: true });
      words.setAttribute("role", "status");
      dialog.querySelector("h2").after(words);
    }
  }

  /** The open dialog, or null. */
  get current() {
    return document.querySelector("dialog[open]");
  }

  /** Open a dialog; `focus` is a selector in it, `onClose` is called once. */
  open(id, { focus = null, onClose = null } = {}) {
    const dialog = byId(id);
    if (dialog.open) return dialog;
    this.current?.close();
    this.#onClose.set(id, onClose);
    problem(dialog, "");
    dialog.showModal();
    const field = focus && dialog.querySelector(focus);
    field?.focus();
    field?.select?.();
    return dialog;
  }

  /** Close a dialog. The scan field can be typed into at once: the browser says only later that it is closed, and a
   * scan does not wait for that. */
  close(id) {
    const dialog = byId(id);
    if (!dialog.open) return;
    dialog.close();
    if (!this.current && !byId("sell").hidden) focusScan();
  }

  /** A scan while a dialog is open. */
  hold(code) {
    const dialog = this.current;
    this.#held.push(code);
    sounds.refused();
    const title = dialog.querySelector("h2").textContent.trim();
    const many = this.#held.length > 1 ? `${this.#held.length} scans wait` : "the scan waits";
    const words = dialog.querySelector(".held");
    words.textContent = dialog.id === "pin" ? `A PIN first, then it is added (${many}).` : `${title} is open. Esc, then it is added (${many}).`;
    words.hidden = false;
  }

  #closed(dialog) {
    this.#onClose.get(dialog.id)?.();
    this.#onClose.delete(dialog.id);
    dialog.querySelector(".held").hidden = true;
    if (this.current) return;
    if (this.#held.length) this.#onHeld(this.#held.splice(0), dialog.id);
  }
}

/** What is wrong in a form, beside its fields; "" takes it away. */
export function problem(root, text) {
  const place = root.querySelector("[data-problem]");
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

/** What a form does when it is sent: `act(elements)` answers an error text, or "". It is not sent twice at once. */
export function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    problem(form, "");
    const text = (await act(form.elements)) ?? "";
    form.removeAttribute("aria-busy");
    problem(form, text);
    if (text) {
      const field = form.querySelector("input:not([type=radio]):not([hidden])");
      field?.focus();
      field?.select?.();
    }
  });
}
