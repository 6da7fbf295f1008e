// The queue of the store: newest first, found by number, name or the scan of a slip.

import { byId } from "./dialogs.js";
import { fill, fillRows } from "./fill.js";
import { personOf, timeOf } from "./words.js";

const DAY = 86_400_000;
const SOURCES = { pos: "Till", manual: "Till", shopify: "Shopify", woocommerce: "WooCommerce" };

export class QueueView {
  #till;
  #dialogs;
  #words = "";
  #at = 0;

  constructor({ till, dialogs }) {
    this.#till = till;
    this.#dialogs = dialogs;
    const find = byId("queue-find");
    find.addEventListener("input", () => {
      this.#words = find.value.trim();
      this.#at = 0;
      this.show(till.state);
    });
    find.addEventListener("keydown", (event) => this.#key(event));
    byId("queue-rows").addEventListener("click", (event) => {
      const act = event.target.closest("[data-act]")?.dataset.act;
      const id = event.target.closest("[data-key]")?.dataset.key;
      if (act === "resume") this.#resume(id);
      if (act === "cancel") till.queue.cancel(id);
    });
  }

  open() {
    this.#words = byId("queue-find").value = "";
    this.#at = 0;
    this.show(this.#till.state);
    this.#till.refreshQueue();
    this.#dialogs.open("queue", { focus: "input" });
  }

  #listed() {
    const words = this.#words.toLowerCase().split(/\s+/).filter(Boolean);
    return this.#till.state.queue.filter((sale) => {
      const text = `${sale.number} ${sale.order_number ?? ""} ${sale.customer ?? ""}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  show() {
    const listed = this.#listed();
    this.#at = Math.max(0, Math.min(this.#at, listed.length - 1));
    const now = Date.now();
    const rows = listed.map((sale, index) => shownSale(sale, index === this.#at, now));
    fillRows(byId("queue-rows"), rows, (row) => row.id);
    const none = this.#words ? `No sale in the queue has “${this.#words}”.` : "Nothing waits. F4 sets a cart aside, and it waits here for every till of the store.";
    fill(byId("queue"), { none: listed.length ? "" : none });
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.#at += step;
      this.show();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const listed = this.#listed();
      byId("queue-find").select();
      if (listed[this.#at]) this.#resume(listed[this.#at].id);
    }
  }

  #resume(id) {
    this.#dialogs.close("queue");
    this.#till.queue.resume(id);
  }
}

function shownSale(sale, chosen, now) {
  const since = new Date(sale.updated_at);
  const old = now - since > DAY;
  const days = Math.floor((now - since) / DAY);
  const units = `${sale.units} ${sale.units === 1 ? "unit" : "units"}`;
  return {
    id: sale.id,
    number: sale.customer || sale.number,
    source: SOURCES[sale.source] ?? sale.source,
    who: sale.customer ? `${sale.number}, ${personOf(sale.cashier)}` : personOf(sale.cashier),
    units: old ? `holds ${units}` : units,
    total: sale.total,
    since: old ? `since ${days} ${days === 1 ? "day" : "days"}` : `since ${timeOf(since)}`,
    old: old ? "yes" : null,
    chosen: chosen ? "yes" : null,
    cancelName: `Give up ${sale.number}`,
  };
}
