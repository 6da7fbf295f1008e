// The keys of the till. Each has a button that says it; those that a browser or a Mac keeps have a twin with Alt.

import { placeOf } from "./scanner.js";

/** key, its twin (Alt and this letter), the act, what it does. */
export const TABLE = [
  { key: "F1", twin: "F", act: "scan", does: "Scan and search field" },
  { key: "/", twin: null, act: "scan", does: "Scan and search field" },
  { key: "F2", twin: "Q", act: "quantity", does: "Quantity of the chosen line" },
  { key: "F3", twin: "D", act: "discount", does: "Discount of the line; with Shift of the sale" },
  { key: "F4", twin: "S", act: "suspend", does: "Suspend" },
  { key: "F6", twin: "W", act: "queue", does: "Queue: resume" },
  { key: "F7", twin: "R", act: "return", does: "Return" },
  { key: "F8", twin: "C", act: "customer", does: "Customer" },
  { key: "F9", twin: "P", act: "pay", does: "Pay; once more: exact cash" },
  { key: "F10", twin: "O", act: "drawer", does: "Drawer: cash in and out, X report, close" },
  { key: "ArrowUp", shown: "up, down", twin: null, act: "up", does: "Choose a line, or a product that was found" },
  { key: "+", shown: "+ -", twin: null, act: "more", does: "One more, one less of the chosen line" },
  { key: "Delete", twin: null, act: "remove", does: "Remove the chosen line (Undo)" },
  { key: "Escape", shown: "Esc", twin: null, act: "back", does: "Back; it never empties the cart" },
  { key: "?", twin: null, act: "help", does: "These keys" },
];

const NAMED = new Map([
  ...TABLE.map(({ key, act }) => [key, act]),
  ["ArrowDown", "down"],
  ["-", "less"],
]);
const TWINS = new Map(TABLE.filter((row) => row.twin).map((row) => [`Key${row.twin}`, row.act]));

/** Keys that are signs: in an empty scan field, or where nothing is typed, they act, unless a scan begins with them. */
const SIGNS = new Set(["/", "+", "-", "?"]);
const SIGN_MILLISECONDS = 60;

export class Keys {
  #page;
  #sign = null; // a sign that waits: does a scan begin with it?

  constructor(page) {
    this.#page = page;
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey) return;
    const { dialogs, till } = this.#page;
    const dialog = dialogs.current;
    const act = event.altKey ? TWINS.get(event.code) : NAMED.get(event.key);
    if (dialog) {
      if (act === "pay" && dialog.id === "pay") this.#do(event, "exact-cash");
      else if (act && !SIGNS.has(event.key) && /^F\d+$/.test(event.key)) event.preventDefault();
      return;
    }
    if (till.state.phase !== "sell") return;
    if (!event.altKey && event.key.length === 1) this.#typed(event, act);
    else if (act) this.#named(event, act);
  }

  #named(event, act) {
    const place = placeOf(event.target);
    if (act === "discount" && event.shiftKey) this.#do(event, "discount-sale");
    else if (act === "remove" && ((place === "scan" && event.target.value) || place === "text" || place === "number")) return;
    else if ((act === "up" || act === "down") && (place === "text" || place === "code" || event.target.matches?.("select"))) return;
    else if (act === "back" && place === "scan") this.#do(event, "back");
    else this.#do(event, act);
  }

  /** A sign that acts, or the beginning of something that is scanned. */
  #typed(event, act) {
    const place = placeOf(event.target);
    const field = event.target;
    const pad = event.code === "NumpadAdd" || event.code === "NumpadSubtract";
    if (this.#sign) this.#begins(field);
    if (place !== "none" && !(place === "scan" && (!field.value || pad))) return;
    if (!act || !SIGNS.has(event.key)) return;
    event.preventDefault();
    const sign = { text: event.key, field: place === "scan" ? field : null };
    this.#sign = sign;
    setTimeout(() => {
      if (this.#sign !== sign) return;
      this.#sign = null;
      this.#page.acts[act]();
    }, SIGN_MILLISECONDS);
  }

  /** More came at once: the sign was the first character of a code. */
  #begins(field) {
    if (this.#sign.field && this.#sign.field === field) field.value = this.#sign.text + field.value;
    this.#sign = null;
  }

  #do(event, act) {
    event.preventDefault();
    this.#page.acts[act]();
  }
}
