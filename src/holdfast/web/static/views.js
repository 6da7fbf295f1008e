// Saved views: the address of a list under a name, kept for the person.

import { Attempt, NOT_KNOWN, read, refusal } from "./api.js";
import { toast } from "./words.js";

const PATH = "/api/v1/me/views";

/** `query()` is the query string of what is shown now. */
export function keepViews(query) {
  const menu = document.getElementById("views");
  const list = document.getElementById("views-list");
  const form = menu.querySelector("[data-view-form]");
  const name = form.querySelector("input");
  const problem = form.querySelector("[data-view-problem]");
  const attempt = new Attempt();
  form.hidden = false;

  function tell(text) {
    problem.textContent = text;
    problem.hidden = !text;
  }

  async function show() {
    const { ok, document: found } = await read(PATH);
    if (!ok) return;
    const mine = found.items.filter((one) => one.page === location.pathname);
    list.replaceChildren(...mine.map(line));
    document.getElementById("views-none").hidden = mine.length > 0;
  }

  function line(view) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = location.pathname + (view.query ? `?${view.query}` : "");
    link.textContent = view.name;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.dataset.forget = view.id;
    button.textContent = "Remove";
    button.setAttribute("aria-label", `Remove the view ${view.name}`);
    item.append(link, button);
    return item;
  }

  async function save() {
    tell("");
    const text = name.value.trim();
    if (!text) {
      tell("Give the view a name.");
      name.focus();
      return;
    }
    const body = { page: location.pathname, name: text, query: query() };
    try {
      const answer = await attempt.send({ method: "POST", path: PATH, body });
      if (!answer.ok) return tell(refusal(answer.document));
      name.value = "";
      await show();
      toast(`The view “${text}” is saved.`);
    } catch {
      tell(NOT_KNOWN);
    }
  }

  async function forget(button) {
    const next = button.closest("li").nextElementSibling ?? button.closest("li").previousElementSibling;
    try {
      const answer = await new Attempt().send({ method: "DELETE", path: `${PATH}/${button.dataset.forget}` });
      if (!answer.ok && answer.document.code !== "NOT_FOUND") return tell(refusal(answer.document));
      const after = next?.querySelector("button")?.dataset.forget;
      await show();
      (list.querySelector(`[data-forget="${after}"]`) ?? name).focus();
    } catch {
      tell(NOT_KNOWN);
    }
  }

  form.querySelector("[data-save-view]").addEventListener("click", save);
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    save();
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-forget]");
    if (button) forget(button);
  });
}
