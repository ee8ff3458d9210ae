// Runs in an empty project: Vue in a page of jsdom and Svelte's store show a conversation, and nothing of a stranger's.

import { ColloquyClient, ConversationStore, webSocket } from "@colloquy/client";
import assert from "node:assert/strict";
import { JSDOM } from "jsdom";
import WebSocket from "ws";
import { toSvelte } from "./svelte.js";

const [url, token, strangersToken] = [process.env.COLLOQUY_URL!, process.env.COLLOQUY_TOKEN!, process.env.STRANGER!];
const clientOf = (bearer: string) => new ColloquyClient({ url, token: bearer, live: webSocket({ webSocketImpl: WebSocket }) });
const client = clientOf(token);
const { id } = await client.createSession();
const storeOf = (of: ColloquyClient) => new ConversationStore(of, id);

const { window } = new JSDOM('<div id="mine"></div><div id="theirs"></div>');
const globals = { window, document: window.document, Element: window.Element, SVGElement: window.SVGElement };
for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true });
const { createApp, h } = await import("vue");
const { useStore } = await import("./vue.js");
const mounted = [client, clientOf(strangersToken)].map((of, n) => {
  const setup = () => {
    const conversation = useStore(storeOf(of));
    return () => h("p", `${conversation.value.status}: ${conversation.value.messages.map(({ text }) => text).join("|")}`);
  };
  const app = createApp({ setup });
  app.mount(window.document.getElementById(["mine", "theirs"][n]!)!);
  return app;
});
const shownByVue = (id: string) => window.document.getElementById(id)!.textContent;

let shownBySvelte = "";
const conversation = toSvelte(storeOf(client));
const show = () => conversation.subscribe(({ messages }) => void (shownBySvelte = messages.map(({ text }) => text).join("|")));
let hide = show();

async function until(read: () => unknown, expected: unknown): Promise<void> {
  const end = Date.now() + 20_000;
  while (read() !== expected) {
    assert.ok(Date.now() < end, `${String(read())} instead of ${String(expected)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await until(() => shownByVue("mine"), "ready: ");
await client.appendMessage(id, { role: "USER", text: "When?" });
const answer = await client.answer(id, { partsFormat: "AI_SDK", pause: 0 });
answer.writeParts({ type: "text-delta", id: "1", delta: "At " });
await until(() => shownByVue("mine"), "ready: When?|At ");
await until(() => shownBySvelte, "When?|At ");
hide();
answer.writeParts({ type: "text-delta", id: "1", delta: "nine." });
await answer.finish();
hide = show();
await until(() => shownByVue("mine"), "ready: When?|At nine.");
await until(() => shownBySvelte, "When?|At nine.");
await until(() => shownByVue("theirs"), "absent: ");
hide();
for (const app of mounted) app.unmount();
await until(() => client.connection.getSnapshot(), "idle");
console.log("Vue and Svelte show it");
process.exit(0);
