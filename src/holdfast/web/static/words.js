// What a page tells: aloud for a screen reader (say), or in a note that goes by itself (toast).

const TOAST_MILLISECONDS = 5000;

export function say(text) {
  document.getElementById("said").textContent = text;
}

export function toast(text) {
  const note = document.createElement("p");
  note.className = "toast";
  note.textContent = text;
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), TOAST_MILLISECONDS);
}
