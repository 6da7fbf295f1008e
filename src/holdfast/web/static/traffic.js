// The demo's switch without leaving the page; without this script it is a plain form.

const form = document.querySelector("form[data-traffic]");
const text = document.querySelector("[data-traffic-text]");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch("/demo/traffic", {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
      credentials: "same-origin",
    });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const { running } = await response.json();
    form.elements.action.value = running ? "stop" : "start";
    button.textContent = running ? "Stop" : "Let customers in";
    text.textContent = running
      ? "Customers are buying: watch the figures move."
      : "It is quiet here.";
  } catch {
    text.textContent = "That did not work. Try again in a moment.";
  }
  button.disabled = false;
});
