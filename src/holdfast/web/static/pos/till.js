// The till's store: what is known, and what was asked for. There is no DOM here, and nothing is added up.
//
//   const till = new Till({ onChange: (state) => ... });
//   await till.join();                 which phase: "choose" (no drawer is open), "locked" (whose PIN?), "sell"
//   till.cart.scan("4006381333931");   cart.js has what is done to the cart, queue.js, payment.js and drawer.js the money

import { Actions, PASSING } from "./actions.js";
import { Cart } from "./cart.js";
import { Drawer } from "./drawer.js";
import { Payment } from "./payment.js";
import { Queue } from "./queue.js";
import { Returns } from "./returns.js";

/** How many sales are shown where the cart is empty. */
const RECENT = 5;
/** Most sales of the queue that are shown. */
const QUEUE = 100;
const SOON_MILLISECONDS = 250;
const UNDO_MILLISECONDS = 8000;

const OF_QUEUE = new Set(["SaleSuspended", "SaleResumed", "SaleCancelled", "SaleCompleted", "SaleOpened"]);

export class Till {
  #onChange;
  #told = false;
  #timers = new Map();
  #stock = null;
  state = {
    phase: "joining",
    why: "", // why there is no till here, or a PIN is asked for
    till: null,
    registers: [],
    cart: null,
    chosen: null, // the id of the chosen line
    flashed: null, // the id of the line that changed last, with a count: "id 3"
    times: null, // a quantity that waits for its scan
    checking: false, // the next scan is a price check
    last: null, // the product that was scanned last, and what there is of it
    said: null, // { text, kind: "done" | "bad", undo }
    unknown: [], // codes that no product has, or that are kept for later: { code, why }
    short: null, // not enough: { title, available, elsewhere, take(quantity), promise(pin) or null }
    gift: null, // a gift card that needs an amount
    refused: null, // { text, again(pin) }: somebody else's PIN would do it
    payment: null,
    receipt: null,
    returning: null,
    exchange: [], // goods that come back for those of the cart
    queue: [],
    recent: [],
    live: "connecting",
    online: true,
  };

  constructor({ send, onChange, signed = true }) {
    this.#onChange = onChange;
    this.signed = signed;
    this.send = send ?? ((...asked) => fetch(...asked));
    this.actions = new Actions({
      send: this.send,
      onState: () => this.changed(),
      onLocked: (problem) => this.lock(problem?.detail),
      onLost: () => this.lost(),
    });
    this.cart = new Cart(this);
    this.queue = new Queue(this);
    this.payment = new Payment(this);
    this.drawer = new Drawer(this);
    this.returns = new Returns(this);
  }

  /** Something of the state is new: tell it, once for all that changes together. */
  changed(part = {}) {
    Object.assign(this.state, part);
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.#onChange(this.state);
    });
  }

  /** Say something. `kind` is "done", "bad" or "note"; `undo` takes it back, for eight seconds. */
  say(text, kind = "note", undo = null) {
    const said = { text, kind, undo };
    this.changed({ said });
    this.later("said", undo ? UNDO_MILLISECONDS : kind === "bad" ? 12_000 : 5000, () => {
      if (this.state.said === said) this.changed({ said: null });
    });
  }

  /** Do it in a while; once, if it is asked for again meanwhile. */
  later(name, milliseconds, act) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(act, milliseconds));
  }

  /** What was to be done later is not done. */
  never(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  may(permission) {
    return this.state.till?.permissions.includes(permission) ?? false;
  }

  // Where it is -------------------------------------------------------------------------------------------------------

  /** Find out which till this browser is, and what is in its cart. */
  async join() {
    let answer;
    try {
      answer = await this.actions.read("/pos/till");
    } catch {
      answer = null;
    }
    if (answer === null || PASSING.has(answer.status) || answer.status === 500) {
      this.changed({ online: answer?.status === 429 });
      this.later("join", Math.max(2000, (answer?.retryAfter ?? 0) * 1000), () => this.join());
      return;
    }
    this.changed({ online: true });
    if (answer.status === 401) {
      if (answer.document?.pin_needed) this.lock(answer.document.detail);
      else await this.lost();
      return;
    }
    if (answer.ok) await this.begin(answer.document);
    else await this.drawer.choose(answer.document?.detail ?? "This till cannot be read.");
  }

  /** Sell at this till. */
  async begin(till) {
    const fresh = this.state.till?.session_number !== till.session_number || this.state.till?.register.id !== till.register.id;
    this.changed({ till, phase: "sell", why: "", ...(fresh && { cart: null, payment: null, receipt: null }) });
    this.actions.unlock();
    // When the cashier has changed nothing for so long, their PIN is asked for again. Who has changed something has
    // another end by then.
    if (till.cashier.until) this.later("idle", Math.max(5000, Date.parse(till.cashier.until) + 1000 - Date.now()), () => this.join());
    if (till.carts.length && !this.state.cart && !this.actions.waiting) {
      const found = await this.readQuietly(`/sales/${till.carts[0]}`);
      if (found && !this.state.cart && found.status === "open") this.show(found);
    }
    this.refreshQueue();
    this.refreshRecent();
  }

  /** Ask for a cashier's PIN; the cart stays, and what waits is sent afterwards. */
  lock(why = "") {
    if (this.state.phase !== "locked") this.changed({ phase: "locked", why });
  }

  /** The register session is over, or was taken from this browser. */
  async lost() {
    const { till } = this.state;
    if (this.state.phase === "choose") return; // an action and the stream may both hear of it
    this.changed({ phase: "choose" });
    this.actions.clear();
    await this.drawer.choose(await this.drawer.lostWords(till));
  }

  /** Somebody's PIN: they are the cashier from now on. Answers an error text, or "". */
  async takeOver(pin) {
    let answer;
    try {
      answer = await this.actions.once({ method: "POST", path: "/pos/cashier", pin });
    } catch {
      return "The server cannot be reached. Try again.";
    }
    if (!answer.ok) {
      if (answer.status === 401 && !/PIN/.test(answer.document?.detail ?? "")) await this.lost();
      return answer.document?.detail ?? "That was not possible.";
    }
    await this.join();
    return "";
  }

  // The cart ----------------------------------------------------------------------------------------------------------

  /** Show a sale as the cart; the line that changed is the chosen one. */
  show(sale) {
    const line = changedLine(this.state.cart, sale);
    const chosen = sale.lines.some((one) => one.id === this.state.chosen) ? this.state.chosen : (sale.lines.at(-1)?.id ?? null);
    this.changed({
      cart: sale,
      chosen: line?.id ?? chosen,
      ...(line && { flashed: `${line.id} ${line.quantity} ${sale.updated_at}` }),
    });
    const minutes = this.state.till?.cart_hold_minutes ?? 30;
    const left = Date.parse(sale.updated_at) + minutes * 60_000 + 1500 - Date.now();
    if (left > 0) this.later("hold", left, () => this.refreshCart()); // later nothing ends any more
    else this.never("hold");
    return line;
  }

  /** Read the cart again, unless something is on its way that will bring it. */
  async refreshCart() {
    const cart = this.state.cart;
    if (!cart || this.actions.waiting) return;
    const found = await this.readQuietly(`/sales/${cart.id}`);
    if (!found || this.actions.waiting || this.state.cart !== cart) return;
    if (found.status === "open") this.show({ ...found });
    else if (!this.state.payment) {
      this.changed({ cart: null, chosen: null });
      this.say(`${found.number} is ${found.status} now.`, "note");
    }
  }

  /** What there is of a product, here and elsewhere; only of the one that was scanned last. */
  async look(code) {
    this.#stock?.abort();
    this.#stock = new AbortController();
    const found = await this.readQuietly(`/scan?code=${encodeURIComponent(code)}`, this.#stock.signal);
    if (found) this.changed({ last: { ...found, checked: false } });
  }

  // What happens elsewhere --------------------------------------------------------------------------------------------

  /** An event of the store. */
  heard(type, facts) {
    if (OF_QUEUE.has(type)) {
      this.later("queue", SOON_MILLISECONDS, () => this.refreshQueue());
      if (type === "SaleCompleted") this.later("recent", SOON_MILLISECONDS, () => this.refreshRecent());
    }
    const cart = this.state.cart;
    if (!cart) return;
    const own = facts.sale_id === cart.id || facts.reserved_for_id === cart.id;
    if (own || cart.lines.some((line) => line.product_id === facts.product_id)) {
      this.later("cart", SOON_MILLISECONDS, () => this.refreshCart());
    }
  }

  async refreshQueue() {
    const found = await this.readQuietly(`/sales?status=suspended&limit=${QUEUE}`);
    if (found) this.changed({ queue: found.items ?? found });
  }

  async refreshRecent() {
    const found = await this.readQuietly(`/sales?status=completed&limit=${RECENT}`);
    if (found) this.changed({ recent: found.items ?? found });
  }

  /** A document, or null where it cannot be had. */
  async readQuietly(path, signal) {
    try {
      const answer = await this.actions.read(path, { signal });
      if (answer.status === 401 && this.state.phase === "sell") {
        if (answer.document?.pin_needed) this.lock(answer.document.detail);
        else await this.lost();
      }
      return answer.ok ? answer.document : null;
    } catch {
      return null;
    }
  }
}

/** The line that is new or has another quantity than before; null where nothing of the kind. */
function changedLine(before, after) {
  if (before && before.id !== after.id) return null;
  const known = new Map((before?.lines ?? []).map((line) => [line.id, line.quantity]));
  return after.lines.find((line) => known.get(line.id) !== line.quantity) ?? null;
}
