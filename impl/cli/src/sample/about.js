// Shows what the app sees of the visitor, and steps through addresses without page loads.

const seen = document.getElementById("forwarded");
const output = document.getElementById("step-now");

async function ask() {
  const response = await fetch("/echo");
  const { forwarded } = await response.json();
  const lines = Object.entries(forwarded).map(([name, value]) => `${name}: ${value}`);
  seen.textContent = lines.join("\n") || "nothing";
}

/** The step in the address, 0 where there is none. */
function current() {
  return Number(new URLSearchParams(location.search).get("step") ?? 0);
}

function render() {
  output.textContent = `Step ${current()}`;
}

document.getElementById("step").addEventListener("click", () => {
  history.pushState({}, "", `?step=${current() + 1}`);
  render();
});
addEventListener("popstate", render);

render();
ask().catch((error) => {
  seen.textContent = error.message;
});
