// The drawer: choose a register and open it, cash in and out, the X report, count and close, the Z report.

import { byId, focusScan, onSubmit, problem } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { personOf, timeOf } from "./words.js";
import { METHODS } from "./view_cart.js";

export class DrawerView {
  #till;
  #dialogs;
  #manages = byId("pos").dataset.manages === "yes";

  constructor({ till, dialogs }) {
    this.#till = till;
    this.#dialogs = dialogs;
    this.#openForm();
    this.#tabs();
    onSubmit(byId("panel-cash"), async (fields) => {
      const wrong = await till.drawer.cash(fields.direction.value, fields.amount.value, fields.reason.value, fields.account.value.trim(), null);
      if (!wrong) dialogs.close("drawer");
      return wrong;
    });
    byId("panel-cash").addEventListener("click", (event) => {
      const reason = event.target.closest("[data-reason]")?.dataset.reason;
      if (reason) byId("panel-cash").elements.reason.value = reason;
    });
    onSubmit(byId("panel-close"), async (fields) => {
      const wrong = await till.drawer.close(fields.counted.value);
      if (!wrong) dialogs.close("drawer");
      return wrong;
    });
  }

  show(state) {
    this.#choose(state);
    const closed = byId("closed");
    closed.hidden = state.phase !== "closed";
    if (state.phase === "closed" && closed.dataset.id !== state.report.id) {
      closed.dataset.id = state.report.id;
      report(byId("z-report"), state.report, "Z report");
      closed.querySelector("[data-do=print]").focus();
    }
    if (byId("drawer").open) fill(byId("panel-close"), { closeWords: this.#closeWords(state) });
  }

  #closeWords(state) {
    const waits = this.#till.drawer.waits;
    const cart = state.cart?.lines.length ? ` The open cart ${state.cart.number} goes to the queue.` : "";
    return waits || `Count the cash, then close. It cannot be opened again.${cart}`;
  }

  #choose(state) {
    const place = byId("choose");
    const shown = state.phase === "choose";
    const began = shown && place.hidden;
    place.hidden = !shown;
    if (!shown) return;
    const { registers } = state;
    fillRows(byId("registers"), registers.map((one) => shownRegister(one, this.#manages)), (one) => one.id);
    const form = byId("open-form");
    const closed = registers.find((one) => one.open_since === null);
    if (closed && !this.#register()) form.querySelector(`input[value="${closed.id}"]`).checked = true;
    this.#openWords();
    if (began && this.#till.signed) form.elements.float.focus();
  }

  /** The chosen register, or undefined. */
  #register() {
    const id = byId("open-form").querySelector("input[name=register]:checked")?.value;
    return this.#till.state.registers.find((one) => one.id === id);
  }

  /** A register that is open somewhere else is closed here before it can be opened. */
  #openWords() {
    const taken = this.#register()?.open_since ?? null;
    fill(byId("choose"), {
      why: this.#till.state.why,
      unsigned: !this.#till.signed,
      none: this.#till.signed && !this.#till.state.registers.length,
      closing: taken === null ? "" : "It is open at another browser, which cannot go on when it is closed here.",
      floatWords: taken === null ? "Count it. It is the float that the drawer begins with." : "Count it. What should be in it is on the report of the session.",
      submitText: taken === null ? "Open the drawer" : "Close the drawer",
    });
  }

  #openForm() {
    byId("open-form").addEventListener("change", () => this.#openWords());
    onSubmit(byId("open-form"), async (fields) => {
      const register = this.#register();
      if (!register) return "Choose a register that is not open.";
      if (!fields.float.value.trim()) return "Count the cash in the drawer, and say how much it is.";
      const wrong = register.open_since
        ? await this.#till.drawer.closeLost(register, fields.float.value)
        : await this.#till.drawer.open(register.id, fields.float.value, fields.pin.value.trim());
      if (wrong) return wrong;
      byId("open-form").reset();
      this.#choose(this.#till.state); // the register that is free is chosen again
      focusScan();
      return "";
    });
  }

  // Open --------------------------------------------------------------------------------------------------------------

  async open() {
    byId("panel-cash").reset();
    byId("panel-close").reset();
    problem(byId("panel-cash"), "");
    problem(byId("panel-close"), "");
    this.#tab(byId("tab-x"));
    byId("x-report").replaceChildren();
    this.#dialogs.open("drawer", { focus: "#tab-x" });
    this.show(this.#till.state);
    const { till } = this.#till.state;
    const found = await this.#till.drawer.report();
    if (found) report(byId("x-report"), { ...found, register: till.register, store: till.store, currency: till.currency, organisation: till.organisation }, "X report");
  }

  #tabs() {
    const tabs = [...byId("drawer").querySelectorAll("[role=tab]")];
    tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => this.#tab(tab));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = tabs[(index + step + tabs.length) % tabs.length];
        this.#tab(next);
        next.focus();
      });
    });
  }

  #tab(chosen) {
    for (const tab of byId("drawer").querySelectorAll("[role=tab]")) {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !on;
    }
  }
}

function shownRegister(one, manages) {
  const open = one.open_since !== null;
  return {
    id: one.id,
    name: one.name ?? one.code,
    about: open ? `open since ${timeOf(one.open_since)}, by ${personOf(one.opened_by)}` : `${one.code}, closed`,
    taken: open && !manages ? "yes" : null,
  };
}

/** A report of a session as a list of names and values. */
function report(place, session, title) {
  const heading = document.createElement("h2");
  heading.textContent = `${title} ${session.number}, ${session.currency}`;
  const where = document.createElement("p");
  const until = session.closed_at ? ` to ${new Date(session.closed_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" })}` : "";
  where.textContent = `${session.organisation}, ${session.store.name ?? session.store.code}, ${session.register.name ?? session.register.code}. ${new Date(session.opened_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" })}${until}. Opened by ${personOf(session.opened_by)}${session.closed_by ? `, closed by ${personOf(session.closed_by)}` : ""}.`;
  const list = document.createElement("dl");
  list.dataset.rows = "report-row";
  place.replaceChildren(heading, where, list);
  fillRows(list, reportRows(session), (row) => row.key);
}

function reportRows(session) {
  const rows = [];
  const add = (name, value, kind = "") => value !== null && rows.push({ key: String(rows.length), name, value, kind });
  add("Sales", session.sales);
  add("Returns", session.returns);
  for (const [method, amount] of Object.entries(session.totals_by_method)) add(METHODS[method] ?? method, amount);
  for (const tax of session.taxes) add(`${tax.name ?? "Tax"} of ${tax.net}`, tax.tax);
  add("Float", session.opening_float, "report-rule");
  add("Cash sales", session.cash_sales);
  add("Cash refunds", less(session.cash_refunds));
  add("Put in", session.paid_in);
  add("Taken out", less(session.paid_out));
  add("Should be in the drawer", session.expected_cash ?? "shown when it was counted", "report-strong");
  add("Counted", session.counted_cash);
  if (session.over_short !== null) add(overName(session.over_short), session.over_short.replace("-", ""), "report-strong");
  return rows;
}

/** An amount that goes off; nothing has no sign. */
function less(amount) {
  return /[1-9]/.test(amount) ? `−${amount}` : amount;
}

function overName(amount) {
  if (!/[1-9]/.test(amount)) return "Right to the cent";
  return amount.startsWith("-") ? "Short" : "Over";
}
