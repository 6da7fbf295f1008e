// What happens in the shop, for one page: by the one stream of the browser, or, where there are no shared workers, by a
// stream of its own that rests while nobody sees the page.

import { EventStream } from "./stream.js";

const READY_MILLISECONDS = 3000; // in which a worker that works has answered
const version = document.documentElement.dataset.version ?? "";

/**
 * Follows events from a cursor on; `kinds` are those that the page wants to hear of (none: all).
 *
 * `onEvent(event)`; `onMissed()`: events may have been missed, so read again what is shown; `onState(state, since)` as
 * of the EventStream. `who` is the mark of who looks at the page (`data-who`), `till` listens as the browser's till.
 */
export class EventFeed {
  #asked;
  #kinds;
  #onEvent;
  #onState;
  #onMissed;
  #source = null;
  #resumes = false;

  constructor({ cursor, kinds = [], who = null, till = false, onEvent, onState, onMissed = () => {} }) {
    this.#asked = { cursor, who, till };
    this.#kinds = new Set(kinds);
    this.#onEvent = onEvent;
    this.#onState = onState;
    this.#onMissed = onMissed;
    // A page that is kept for the way back hears nothing meanwhile.
    window.addEventListener("pagehide", () => {
      this.#resumes = this.running;
      this.#leave();
    });
    window.addEventListener("pageshow", (event) => {
      if (event.persisted && this.#resumes) this.start();
    });
  }

  get running() {
    return this.#source !== null;
  }

  start() {
    if (this.running) return;
    this.#onState("waiting", null);
    this.#source = "SharedWorker" in window ? this.#shared() : this.#own();
  }

  stop() {
    this.#leave();
    this.#onState("off", null);
  }

  #leave() {
    this.#source?.leave();
    this.#source = null;
  }

  /** By the worker; where it cannot be had, by a stream of our own. */
  #shared() {
    let port;
    let patience;
    const source = { leave: () => {} };
    const instead = () => {
      clearTimeout(patience);
      port?.close();
      if (this.#source === source) this.#source = this.#own();
    };
    try {
      const worker = new SharedWorker("/static/stream-worker.js", { type: "module", name: `holdfast ${version}` });
      worker.addEventListener("error", instead);
      ({ port } = worker);
    } catch {
      return this.#own();
    }
    patience = setTimeout(instead, READY_MILLISECONDS);
    source.leave = () => {
      clearTimeout(patience);
      port.postMessage({ does: "leave", till: this.#asked.till });
      port.close();
    };
    port.addEventListener("message", ({ data }) => {
      clearTimeout(patience);
      if (this.#source === source) this.#hear(data);
    });
    port.start();
    port.postMessage({ does: "join", ...this.#asked });
    return source;
  }

  #own() {
    const stream = new EventStream({
      ...this.#asked,
      onEvent: (event) => this.#source === source && this.#hear({ event, cursor: stream.cursor }),
      onMissed: () => this.#source === source && this.#hear({ missed: true }),
      onState: (state, since) => this.#source === source && this.#hear({ state, since }),
    });
    const seen = () => (document.hidden ? stream.stop() : stream.start());
    const source = {
      leave() {
        document.removeEventListener("visibilitychange", seen);
        stream.stop();
      },
    };
    document.addEventListener("visibilitychange", seen);
    queueMicrotask(() => document.hidden || stream.start());
    return source;
  }

  #hear({ event, cursor, state, since, missed }) {
    if (cursor) this.#asked.cursor = cursor;
    if (event && (this.#kinds.size === 0 || this.#kinds.has(event.type))) this.#onEvent(event);
    if (missed) this.#onMissed();
    if (!state) return;
    if (state === "out") this.#leave();
    this.#onState(state, since);
  }
}
