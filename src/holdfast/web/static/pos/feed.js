// What happens in the store, as it happens. A till's stream needs a header, which an EventSource cannot send, so the
// stream is read from a fetch. A hidden window ends it and begins again where it stopped.

const AGAIN_MILLISECONDS = 2000;

/** Splits a stream of text into events: { id, type, data }. */
export class EventText {
  #rest = "";

  /** The events that are complete with this piece. */
  add(piece) {
    this.#rest += piece;
    const parts = this.#rest.split("\n\n");
    this.#rest = parts.pop();
    return parts.map(eventOf).filter((event) => event.data !== null);
  }
}

function eventOf(block) {
  const event = { id: null, type: "message", data: null };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    const [name, value] = [line.slice(0, at), line.slice(at + 1).trimStart()];
    if (name === "id") event.id = value;
    if (name === "event") event.type = value;
    if (name === "data") event.data = value;
  }
  return event;
}

export class Feed {
  #onEvent;
  #onState;
  #cursor = "end";
  #stop = null;
  #timer = 0;

  /** `onEvent(type, facts)`, `onState("live" | "connecting")`. */
  constructor({ onEvent, onState }) {
    this.#onEvent = onEvent;
    this.#onState = onState;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#pause();
      else if (this.wanted) this.start();
    });
  }

  wanted = false;

  start() {
    this.wanted = true;
    if (this.#stop || document.hidden) return;
    clearTimeout(this.#timer);
    this.#read();
  }

  stop() {
    this.wanted = false;
    this.#pause();
  }

  #pause() {
    clearTimeout(this.#timer);
    this.#stop?.abort();
    this.#stop = null;
  }

  async #read() {
    const stop = (this.#stop = new AbortController());
    this.#onState("connecting");
    try {
      const response = await fetch(`/api/v1/events?cursor=${encodeURIComponent(this.#cursor)}`, {
        headers: { Accept: "text/event-stream", Authorization: "Register" },
        credentials: "same-origin",
        signal: stop.signal,
      });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      this.#onState("live");
      const text = new EventText();
      const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await pieces.read();
        if (done) break;
        for (const event of text.add(value)) {
          if (event.id) this.#cursor = event.id;
          this.#onEvent(event.type, JSON.parse(event.data).data ?? {});
        }
      }
    } catch {
      // Gone for now: it begins again below.
    }
    if (this.#stop !== stop) return;
    this.#stop = null;
    this.#onState("connecting");
    this.#timer = setTimeout(() => this.wanted && this.start(), AGAIN_MILLISECONDS);
  }
}
