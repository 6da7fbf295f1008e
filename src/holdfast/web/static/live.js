// The button that says whether a page is live, and pauses it: "Live", "Connecting", "Not live since 14:02", "Paused".

import { EventFeed } from "./feed.js";
import { toSignIn } from "./partials.js";

const PATIENCE_MILLISECONDS = 4000; // a stream that comes back sooner was hardly away
const WORDS = { on: "Live", polling: "Live", waiting: "Connecting", off: "Paused", out: "Signed out" };
const TITLES = { off: "Follow what happens again", out: "Sign in again" };

/** Follow what happens, shown at `button` (with `data-cursor` and `data-who`). Callbacks as of the EventFeed. */
export function followLive(button, { kinds, onEvent, onMissed, say }) {
  let timer = 0;
  const text = button.querySelector("[data-live-text]");
  const show = (state, words) => {
    button.dataset.state = state;
    text.textContent = words;
    button.setAttribute("aria-pressed", String(state !== "off" && state !== "out"));
    button.title = TITLES[state] ?? "Stop following what happens";
  };
  const feed = new EventFeed({
    cursor: button.dataset.cursor,
    who: button.dataset.who,
    kinds,
    onEvent,
    onMissed,
    onState(state, since) {
      clearTimeout(timer);
      show(state, WORDS[state]);
      if (state !== "waiting" || !since) return;
      const words = `Not live since ${new Date(since).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
      const away = () => show("away", words);
      const wait = since + PATIENCE_MILLISECONDS - Date.now();
      if (wait > 0) timer = setTimeout(away, wait);
      else away();
    },
  });
  button.addEventListener("click", () => {
    if (button.dataset.state === "out") return toSignIn();
    if (feed.running) feed.stop();
    else feed.start();
    say(feed.running ? "Live updates are on." : "Live updates are paused.");
  });
  button.hidden = false;
  feed.start();
  return feed;
}
