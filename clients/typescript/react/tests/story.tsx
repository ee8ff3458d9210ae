// Runs in an empty project with React 18 and with React 19: the Chat of the README in a page of jsdom and on a server.

import { ColloquyClient, Outbox, webSocket } from "@colloquy/client";
import { ColloquyProvider, useAnswer, useConversation, useSearch } from "@colloquy/react";
import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import { StrictMode, version } from "react";
import { renderToString } from "react-dom/server";
import WebSocket from "ws";
import { Chat } from "./chat.js";

const [url, token, strangersToken] = [process.env.COLLOQUY_URL!, process.env.COLLOQUY_TOKEN!, process.env.STRANGER!];
const clientOf = (bearer: string) => new ColloquyClient({ url, token: bearer, live: webSocket({ webSocketImpl: WebSocket }) });
const client = clientOf(token);
const { id: sessionId } = await client.createSession({ title: "Lisbon" });
await client.appendMessage(sessionId, { role: "ASSISTANT", text: "Hello." });

const onServer = renderToString(<Chat client={client} outbox={new Outbox(client)} sessionId={sessionId} />);
assert.match(onServer, /<p>loading<\/p>/);
assert.equal(client.connection.getSnapshot(), "idle");

const { window } = new JSDOM('<div id="mine"></div><div id="theirs"></div>', { url: "http://localhost" });
for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true }); // Node from 21 on has a navigator
}
const { createRoot, hydrateRoot } = await import("react-dom/client");
const errors: unknown[] = [];
console.error = (...values: unknown[]) => void errors.push(values);

function Found() {
  const { hits } = useSearch("hello");
  return <i>found {hits.map(({ node }) => node.session.title).join()}</i>;
}
function Parts() {
  const { message } = useAnswer(useConversation(sessionId));
  return <i>{message?.parts ? `${message.parts.length} parts: ${message.text}` : "no parts"}</i>;
}
const page = (of: ColloquyClient) => (
  <StrictMode>
    <Chat client={of} outbox={new Outbox(of)} sessionId={sessionId} />
    <ColloquyProvider client={of}>
      <Found />
      <Parts />
    </ColloquyProvider>
  </StrictMode>
);
const [mine, theirs] = ["mine", "theirs"].map((id) => window.document.getElementById(id)!) as [HTMLElement, HTMLElement];
const stranger = clientOf(strangersToken);
mine.innerHTML = renderToString(page(client));
const roots = [hydrateRoot(mine, page(client)), createRoot(theirs)] as const;
roots[1].render(page(stranger));

/** Waits until the page shows a text. */
async function shows(element: HTMLElement, text: string | RegExp): Promise<void> {
  const until = Date.now() + 20_000;
  while (!(typeof text === "string" ? element.textContent?.includes(text) : text.test(element.textContent ?? ""))) {
    assert.ok(Date.now() < until, `${String(text)} is not in: ${element.textContent}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await shows(mine, "ASSISTANT: Hello.");
await shows(mine, "(1 unread)");
await shows(mine, "found Lisbon");
const input = mine.querySelector("input")!;
input.value = "When does the train leave?";
input.form!.dispatchEvent(new window.Event("submit", { bubbles: true, cancelable: true }));
await shows(mine, "USER: When does the train leave?");

const answer = await client.answer(sessionId, { pause: 0 });
answer.write("At nine ");
await shows(mine, "ASSISTANT: At nine");
mine.querySelector("main")!.querySelectorAll("button").forEach((button) => button.click()); // Stop
await shows(mine, /At nine (?!.*Stop)/);
assert.equal((await client.messages(sessionId)).nodes.at(-1)!.status, "CANCELLED");
const inParts = await client.answer(sessionId, { partsFormat: "AI_SDK", pause: 0 });
await shows(mine, "0 parts");
for (const delta of ["At ", "ten."]) inParts.writeParts({ type: "text-delta", id: "1", delta });
await shows(mine, "2 parts: At ten.");
await shows(mine, "ASSISTANT: At ten.");
await inParts.finish();
await shows(mine, "no parts");
await client.updateSession(sessionId, { title: "Porto" });
await shows(mine, "Porto");
assert.doesNotMatch(theirs.textContent!, /Hello|train|nine|Porto|Lisbon/);
assert.match(theirs.textContent!, /absent/);

for (const root of roots) root.unmount();
assert.deepEqual(errors, []);
console.log(`React ${version.split(".")[0]} shows it`);
process.exit(0);
