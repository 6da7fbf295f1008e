// Parts of a page, rendered by the server, put into the page so that focus stays where it is.

/** A partial's document; asks somebody who was signed out to sign in again. */
export async function fetchPart(url, signal) {
  const response = await fetch(url, { signal, headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (response.status === 401) {
    toSignIn();
    throw new Error("signed out");
  }
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

let leaving = false; // a second way out would cut off the first
window.addEventListener("pageshow", () => (leaving = false)); // somebody who came back may be sent again

/** Leave for the sign-in, once, however many answers ask for it. */
export function toSignIn() {
  if (leaving) return;
  leaving = true;
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Make `old` look like `fresh`, changing only what differs; tell `changed` of each [data-live] that did. */
export function morph(old, fresh, changed) {
  const before = old.hasAttribute("data-live") ? old.textContent : null;
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && !(name === "class" && old.classList.contains("is-changed"))) {
      old.setAttribute(name, value);
    }
  }
  for (const { name } of [...old.attributes]) {
    // What the script of the page itself has marked stays: data-is-...
    if (!fresh.hasAttribute(name) && name !== "class" && name !== "open" && !name.startsWith("data-is-")) old.removeAttribute(name);
  }
  if (old.hasAttribute("class") && !fresh.hasAttribute("class") && !old.classList.contains("is-changed")) old.removeAttribute("class");
  const same =
    old.childNodes.length === fresh.childNodes.length &&
    [...old.childNodes].every((node, index) => node.nodeName === fresh.childNodes[index].nodeName);
  if (!same) {
    old.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
  } else {
    old.childNodes.forEach((node, index) => {
      const other = fresh.childNodes[index];
      if (node.nodeType === Node.ELEMENT_NODE) morph(node, other, changed);
      else if (node.nodeValue !== other.nodeValue) node.nodeValue = other.nodeValue;
    });
  }
  if (before !== null && before !== old.textContent) changed?.(old);
}

/** A short, soft light on what changed. */
export function flash(element) {
  element.classList.remove("is-changed");
  // Reading the layout once lets the same animation begin again.
  void element.offsetWidth;
  element.classList.add("is-changed");
  element.addEventListener("animationend", () => element.classList.remove("is-changed"), { once: true });
}

/** What a form of filters asks for, as a query: fields that are empty are left out. */
export function filtersOf(form) {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) asked.set(name, value.trim());
  return asked;
}

/** Show the rows of a list that came anew, and what is wrong with its filters; `narrowed`: there is something to clear. */
export function showRows(part, list, rows, narrowed) {
  const problem = part.querySelector("[data-list-problem]");
  document.querySelector("[data-list-problem]")?.remove();
  if (problem) list.before(document.importNode(problem, true));
  rows.replaceChildren(...[...part.querySelector("tbody").rows].map((row) => document.importNode(row, true)));
  for (const clear of document.querySelectorAll(".clear")) clear.hidden = !narrowed;
}
