// The cart, the bar above it, what is said: everything of the state that has its place there.

import { byId, focusScan } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { sounds } from "./sounds.js";
import { taxName } from "./money.js";
import { personOf, timeOf } from "./words.js";

const LIVE = { live: "Live", connecting: "Connecting" };

export class CartView {
  #till;
  #flashed = null;
  #hears = false; // is the stream of events followed?

  constructor({ till, feed }) {
    this.#till = till;
    this.feed = feed;
    const lines = byId("lines");
    lines.addEventListener("click", (event) => this.#clicked(event));
    lines.addEventListener("change", (event) => this.#typed(event.target));
    lines.addEventListener("keydown", (event) => this.#key(event));
    byId("strips").addEventListener("click", (event) => this.#strip(event));
    byId("recent-rows").addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) till.payment.again(row.dataset.key);
    });
    byId("exchange").addEventListener("click", (event) => event.target.closest("button") && till.returns.dropExchange());
  }

  show(state) {
    const selling = state.phase === "sell" || state.phase === "locked";
    byId("pos").dataset.phase = state.phase;
    byId("bar").hidden = !selling || !state.till;
    byId("sell").hidden = !selling || !state.till;
    byId("joining").hidden = state.phase !== "joining";
    const hears = state.phase === "sell" && Boolean(state.till);
    if (hears && !this.#hears) this.feed.start();
    if (!hears && this.#hears) this.feed.stop();
    this.#hears = hears;
    this.#away(state);
    this.#said(state);
    this.#strips(state);
    if (!state.till) return;
    this.#bar(state);
    this.#cart(state);
  }

  #bar(state) {
    const { store, register, cashier } = state.till;
    const { waiting, away } = this.#till.actions;
    const out = away ? `Away, ${waiting} not sent` : (LIVE[state.live] ?? "Live");
    fill(byId("bar"), {
      store: store.name ?? store.code,
      register: register.name ?? register.code,
      cashier: personOf(cashier.name),
      live: away ? "away" : state.live,
      liveText: !away && waiting > 1 ? `${waiting} on the way` : out,
      queued: state.queue.length >= 100 ? "100+" : state.queue.length,
      sounds: String(sounds.on),
    });
  }

  #away(state) {
    const { away, busy, waiting } = this.#till.actions;
    const strip = byId("away");
    strip.hidden = !away && !busy && state.online;
    const many = waiting === 1 ? "1 action waits and is" : `${waiting} actions wait and are`;
    const alone = state.online ? "" : "The server cannot be reached. The till tries again.";
    const why = busy || (away && `The server cannot be reached since ${timeOf(away)}.`);
    const text = why ? `${why} ${many} sent again.` : alone;
    if (strip.textContent !== text) strip.textContent = text;
  }

  #said(state) {
    const place = byId("said");
    place.dataset.kind = state.said?.kind ?? "";
    const aside = state.aside && state.said?.text.startsWith(state.aside.number);
    fill(place, { text: state.said?.text ?? "", undo: Boolean(state.said?.undo), aside: Boolean(aside) });
    place.classList.toggle("is-shown", Boolean(state.said));
  }

  #strips(state) {
    const strips = byId("strips");
    strips.dataset.rows = "strip-row";
    const rows = state.unknown.map((one) => ({ ...one, make: one.why === "Not known", forgetName: `Dismiss ${one.code}` }));
    fillRows(strips, rows, (one) => one.code);
  }

  #strip(event) {
    const act = event.target.closest("[data-act]")?.dataset.act;
    const code = event.target.closest("[data-key]")?.dataset.key;
    if (!act) return;
    if (act === "make") {
      this.#till.changed({ making: code });
      return;
    }
    this.#till.cart.forget(code);
    if (act === "retry") this.#till.cart.scan(code);
    focusScan();
  }

  #cart(state) {
    const { cart } = state;
    const empty = !cart?.lines.length;
    byId("cart").hidden = Boolean(state.receipt) && empty;
    const units = cart?.units ?? 0;
    const place = byId("cart");
    fill(place, {
      heading: cart ? (cart.customer ? `${cart.number}, ${cart.customer}` : cart.number) : "New sale",
      units: empty ? "" : `${units} ${units === 1 ? "unit" : "units"}`,
      currency: state.till.currency,
      total: cart?.total ?? zero(state.till.minor_digits),
      empty,
    });
    const lines = (cart?.lines ?? []).map((line) => shownLine(line, state));
    fillRows(byId("lines"), lines, (line) => line.id);
    byId("lines").hidden = empty;
    byId("empty").hidden = !empty;
    fillRows(byId("sums"), sums(cart, state.till.tax_mode === "inclusive"), (sum) => sum.name);
    this.#recent(state, empty);
    this.#exchange(state);
    this.#flash(state);
  }

  #recent(state, empty) {
    byId("recent").hidden = !empty || !state.recent.length;
    const rows = state.recent.map((sale) => ({
      id: sale.id,
      number: sale.number,
      when: sale.receipt?.completed_at ? timeOf(sale.receipt.completed_at) : "",
      methods: [...new Set(sale.payments.map((one) => METHODS[one.method] ?? one.method))].join(", "),
      total: sale.total,
    }));
    fillRows(byId("recent-rows"), rows, (row) => row.id);
  }

  #exchange(state) {
    const place = byId("exchange");
    place.hidden = !state.exchange.length;
    if (place.hidden) return;
    const words = state.exchange.map((one) => `${one.number}: ${one.shown.map((line) => `${line.quantity} ${line.title}`).join(", ")}`).join("; ");
    if (place.dataset.words !== words) {
      place.dataset.words = words;
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Not in exchange" });
      place.replaceChildren(`Comes back in exchange. ${words} `, button);
    }
  }

  #flash(state) {
    if (state.flashed === this.#flashed) return;
    this.#flashed = state.flashed;
    const id = state.flashed?.split(" ")[0];
    const row = [...byId("lines").children].find((one) => one.dataset.key === id);
    if (!row) return;
    row.classList.remove("is-changed");
    void row.offsetWidth; // the same animation begins again
    row.classList.add("is-changed");
    row.scrollIntoView({ block: "nearest" });
  }

  /** Into the quantity of the chosen line. */
  editQuantity() {
    const row = [...byId("lines").children].find((one) => one.dataset.key === this.#till.state.chosen);
    const field = row?.querySelector("[data-act=quantity]");
    field?.focus();
    field?.select();
  }

  #clicked(event) {
    const act = event.target.closest("[data-act]")?.dataset.act;
    const id = event.target.closest("[data-key]")?.dataset.key;
    if (!act || !id) return;
    this.#till.cart.choose(id);
    if (act === "more") this.#till.cart.step(id, 1);
    if (act === "less") this.#till.cart.step(id, -1);
    if (act === "remove") {
      this.#till.cart.remove(id);
      focusScan();
    }
    if (act === "quantity") event.target.select();
  }

  #typed(field) {
    if (field.dataset.act !== "quantity") return;
    const id = field.closest("[data-key]").dataset.key;
    const wrong = this.#till.cart.setQuantity(id, field.value);
    const line = this.#till.cart.line(id);
    if (wrong) {
      this.#till.say(wrong, "bad");
      field.value = line?.quantity ?? "";
    }
  }

  #key(event) {
    const field = event.target;
    if (field.dataset.act !== "quantity") return;
    if (event.key === "Escape") {
      field.value = this.#till.cart.line(field.closest("[data-key]").dataset.key)?.quantity ?? "";
      event.stopPropagation();
    }
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      focusScan(); // leaving the field sends what was typed
    }
  }
}

export const METHODS = { cash: "Cash", card: "Card", other: "Other", gift_card: "Gift card", exchange: "Exchange" };

export function zero(digits) {
  return digits ? `0.${"0".repeat(digits)}` : "0";
}

function shownLine(line, state) {
  const off = /[1-9]/.test(line.discount) ? `−${line.discount}${line.own_discount?.percent ? ` (${line.own_discount.percent}%)` : ""}` : "";
  const [name, text] = holdState(line);
  return {
    ...line,
    chosen: line.id === state.chosen ? "yes" : null,
    pressed: String(line.id === state.chosen),
    each: `${line.unit_price} each`,
    off,
    state: name,
    stateText: text,
    lessName: `One less ${line.title}`,
    moreName: `One more ${line.title}`,
    quantityName: `Quantity of ${line.title}`,
    removeName: `Remove ${line.title}`,
  };
}

/** The state of a line's units: a name for its look, and words. */
function holdState(line) {
  if (line.lapsed > 0) return ["lapsed", line.held > 0 ? `${line.held} of ${line.quantity} held; the hold of the others has run out` : "Its hold has run out"];
  if (line.backordered > 0) return ["waits", `${line.backordered} of ${line.quantity} ${line.backordered === 1 ? "waits" : "wait"} for stock`];
  return ["held", ""];
}

/** What the total is made of, where it is more than its lines. */
function sums(cart, inclusive) {
  if (!cart) return [];
  const shown = (amount) => /[1-9]/.test(amount);
  const rows = [];
  if (shown(cart.discount_total)) rows.push({ name: "Discount", amount: `−${cart.discount_total}` });
  for (const fee of cart.fees) rows.push({ name: fee.name, amount: fee.amount });
  for (const tax of cart.taxes) rows.push({ name: inclusive ? `${taxName(tax)}, included` : taxName(tax), amount: tax.tax });
  if (shown(cart.paid)) rows.push({ name: "Paid already", amount: `−${cart.paid}` }, { name: "To pay", amount: cart.owed });
  return rows;
}
