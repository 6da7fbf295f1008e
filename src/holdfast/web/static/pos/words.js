// How people and times are said.

/** "user:ana@example.org" is Ana. */
export function personOf(actor) {
  const name = (actor ?? "").split(":").pop().split("@")[0];
  return name ? name[0].toUpperCase() + name.slice(1) : "somebody";
}

/** 14:02, on this clock. */
export function timeOf(instant) {
  const date = new Date(instant);
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}
