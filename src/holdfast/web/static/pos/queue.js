// The queue of the store: set a cart aside, take one back, give one up.

import { personOf } from "./words.js";

export class Queue {
  constructor(till) {
    this.till = till;
  }

  get #state() {
    return this.till.state;
  }

  /** Set the cart aside, for any till of the store. It asks nothing; a name can be added afterwards. */
  suspend() {
    const cart = this.#state.cart;
    if (!cart) return null;
    return this.till.actions.add({
      name: "suspend",
      build: () => (this.#state.cart ? { method: "POST", path: `/sales/${this.#state.cart.id}/suspend` } : null),
      answered: (answer) => {
        if (answer.ok) {
          this.leave();
          this.till.changed({ aside: { id: answer.document.id, number: answer.document.number } });
          this.till.say(`${answer.document.number} is in the queue.`, "note");
          this.till.refreshQueue();
        } else if (answer.document) this.till.say(`Not set aside: ${answer.document.detail}`, "bad");
      },
    });
  }

  /** A name or note for a sale of the queue. */
  async name(saleId, name) {
    const answer = await this.till.actions.add({
      name: "name",
      build: () => ({ method: "PATCH", path: `/sales/${saleId}`, body: { customer: name || null } }),
    });
    if (!answer.ok && answer.document) this.till.say(answer.document.detail, "bad");
    this.till.refreshQueue();
  }

  /** Take a sale out of the queue; what is in the cart goes into it. */
  resume(saleId) {
    const before = this.#state.cart?.lines.length ? this.#state.cart.id : null;
    if (before) this.suspend();
    return this.till.actions.add({
      name: "resume",
      // A cart that could not be set aside stays, and nothing takes its place.
      build: () => (before && this.#state.cart?.id === before ? null : { method: "POST", path: `/sales/${saleId}/resume` }),
      answered: (answer) => {
        if (answer.ok) {
          this.till.changed({ cart: null, receipt: null });
          this.till.show(answer.document);
        } else if (answer.document) {
          const { resumed_by: by, register } = answer.document;
          const words = by ? `${personOf(by)} resumed it${register ? ` on ${register}` : ""}.` : answer.document.detail;
          this.till.say(words, "bad");
        }
        this.till.refreshQueue();
      },
    });
  }

  /** Give the sale up: what it holds is free again. */
  cancel(saleId = this.#state.cart?.id) {
    if (!saleId) return null;
    return this.till.actions.add({
      name: "cancel",
      build: () => ({ method: "POST", path: `/sales/${saleId}/cancel` }),
      answered: (answer) => {
        if (answer.ok) {
          if (this.#state.cart?.id === saleId) this.leave();
          this.till.say(`${answer.document.number} is given up; nothing of it is held any more.`, "note");
        } else if (answer.document) this.till.say(`Not given up: ${answer.document.detail}`, "bad");
        this.till.refreshQueue();
      },
    });
  }

  /** The cart is not here any more. */
  leave() {
    this.till.changed({ cart: null, chosen: null, payment: null, exchange: [], last: null });
  }
}
