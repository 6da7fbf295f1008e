// The sign-in: a password that one may look at while typing. Nothing of it is kept.

for (const box of document.querySelectorAll("[data-shows]")) {
  const field = box.form.elements[box.dataset.shows];
  box.closest("label").hidden = false;
  box.checked = false; // a browser that comes back keeps the tick, and not what it showed
  box.addEventListener("change", () => {
    field.type = box.checked ? "text" : "password";
  });
  // A field of text is offered again by the browser; what is sent is a password.
  box.form.addEventListener("submit", () => {
    field.type = "password";
  });
}
