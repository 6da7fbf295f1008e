// What happens in the shop, as it happens: Server-Sent Events, or, where they do not come through, asking again.

const POLL_MILLISECONDS = 2000;
const FAILURES_MAX = 3; // of the stream in a row, before we ask instead
const POLL_LIMIT = 200;

/** Follows events from a cursor on. `onEvent(event)`, `onState("on" | "polling" | "waiting" | "off" | "out")`. */
export class EventFeed {
  #cursor;
  #kinds;
  #onEvent;
  #onState;
  #source = null;
  #timer = 0;
  #failures = 0;

  constructor({ cursor, kinds, onEvent, onState }) {
    this.#cursor = cursor;
    this.#kinds = kinds;
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  get running() {
    return this.#source !== null || this.#timer !== 0;
  }

  start() {
    if (this.running) return;
    this.#failures = 0;
    this.#onState("waiting");
    this.#open();
  }

  stop() {
    this.#close();
    this.#onState("off");
  }

  #open() {
    if (!("EventSource" in window)) {
      this.#ask();
      return;
    }
    const source = new EventSource(`/api/v1/events?cursor=${encodeURIComponent(this.#cursor)}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#failures = 0;
      this.#onState("on");
    });
    source.addEventListener("error", () => this.#failed());
    for (const kind of this.#kinds) {
      source.addEventListener(kind, (message) => {
        if (message.lastEventId) this.#cursor = message.lastEventId;
        this.#onEvent(JSON.parse(message.data));
      });
    }
  }

  #failed() {
    // A browser tries again by itself, from the last id; unless the answer was no stream at all.
    this.#failures += 1;
    this.#onState("waiting");
    if (this.#source?.readyState === EventSource.CLOSED || this.#failures >= FAILURES_MAX) {
      this.#close();
      this.#timer = setTimeout(() => this.#ask(), POLL_MILLISECONDS);
    }
  }

  async #ask() {
    this.#timer = -1;
    try {
      const url = `/api/v1/events?limit=${POLL_LIMIT}&cursor=${encodeURIComponent(this.#cursor)}`;
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (response.status === 401 || response.status === 403) {
        this.#close();
        this.#onState("out");
        return;
      }
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const page = await response.json();
      if (this.#timer !== -1) return;
      this.#cursor = page.next_cursor;
      this.#onState("polling");
      page.items.forEach(this.#onEvent);
    } catch {
      this.#onState("waiting");
    }
    if (this.#timer === -1) this.#timer = setTimeout(() => this.#ask(), POLL_MILLISECONDS);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    if (this.#timer > 0) clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
