// Renders relay.jsx in a page without a browser, uses it, and prints what it shows.
import { JSDOM } from "jsdom";
import { App, environmentOf } from "./relay.jsx";

const { COLLOQUY_URL: url, COLLOQUY_TOKEN: token } = process.env;
const { window } = new JSDOM("<div id=root></div>");
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true });
}

/** Waits until so many elements are there; returns their texts. */
async function texts(selector, count) {
  for (;;) {
    const found = [...document.querySelectorAll(selector)];
    if (found.length === count) return found.map((element) => element.textContent);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function click(selector) {
  await texts(selector, 1);
  document.querySelector(selector).dispatchEvent(new window.MouseEvent("click", { bubbles: true }));
}

const CREATE = `mutation($title: String!) { createSession(input: { title: $title }) { errors { code } } }`;

async function create(title) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  await fetch(url, { method: "POST", headers, body: JSON.stringify({ query: CREATE, variables: { title } }) });
}

async function main() {
  for (const title of ["Lisbon", "Porto", "Faro"]) await create(title);
  const { createRoot } = await import("react-dom/client");
  createRoot(document.getElementById("root")).render(<App environment={environmentOf(url, token)} />);
  console.log((await texts("nav a", 2)).join(", "));
  await click("nav button");
  console.log((await texts("nav a", 3)).join(", "));
  await click("nav a:first-child");
  await click("main button");
  console.log((await texts("main p", 1)).join("\n"));
  process.exit(0);
}

void main();
