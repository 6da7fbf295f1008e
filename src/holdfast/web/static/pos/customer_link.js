// What the customer's screen is told: lines, total, change. Nothing of the staff's goes there.

export const CHANNEL = "holdfast-customer";

export class CustomerLink {
  #channel = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;
  #said = "";

  constructor() {
    if (this.#channel) this.#channel.onmessage = () => this.#channel.postMessage(JSON.parse(this.#said || "null"));
  }

  show(state) {
    if (!this.#channel) return;
    const said = JSON.stringify(shown(state));
    if (said === this.#said) return;
    this.#said = said;
    this.#channel.postMessage(JSON.parse(said));
  }
}

function shown(state) {
  const sale = state.receipt?.sale ?? state.cart;
  const open = state.phase === "sell" || state.phase === "locked";
  return {
    shop: state.till?.organisation ?? "",
    currency: state.till?.currency ?? "",
    open: open && state.till !== null,
    lines: (open ? (sale?.lines ?? []) : []).map((line) => ({ id: line.id, title: line.title, quantity: line.quantity, total: line.line_total })),
    total: open && sale ? sale.total : "",
    discount: open && sale && /[1-9]/.test(sale.discount_total) ? sale.discount_total : "",
    change: state.receipt && !state.receipt.copy ? state.receipt.sale.change : "",
    paid: Boolean(state.receipt && !state.receipt.copy),
  };
}
