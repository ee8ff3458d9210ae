// Runs in an empty project with React 18 and with React 19: the Chat of the README, and a model in the page with a history.

import "./page.js"; // first: react-dom looks for a page when it is loaded
import { useLocalRuntime, type ChatModelAdapter, AssistantRuntimeProvider, type AssistantRuntime } from "@assistant-ui/react";
import { useColloquyRuntime } from "@colloquy/assistant-ui";
import { ColloquyClient, Outbox, webSocket } from "@colloquy/client";
import assert from "node:assert/strict";
import { version } from "react";
import { createRoot } from "react-dom/client";
import WebSocket from "ws";
import { Chat } from "./chat.js";

const [url, token, strangersToken] = [process.env.COLLOQUY_URL!, process.env.COLLOQUY_TOKEN!, process.env.STRANGER!];
const clientOf = (bearer: string) => new ColloquyClient({ url, token: bearer, live: webSocket({ webSocketImpl: WebSocket }) });
const client = clientOf(token);
const { id } = await client.createSession({ title: "Lisbon" });
await client.appendMessage(id, { role: "ASSISTANT", text: "Hello." });

const errors: unknown[] = [];
console.error = (...values: unknown[]) => void errors.push(values);

const [mine, theirs] = ["mine", "theirs"].map((name) => window.document.getElementById(name)!) as [HTMLElement, HTMLElement];
let roots = [createRoot(mine), createRoot(theirs)] as const;
roots[0].render(<Chat client={client} outbox={new Outbox(client)} />);
const stranger = clientOf(strangersToken);
roots[1].render(<Chat client={stranger} outbox={new Outbox(stranger)} />);

/** Waits until the condition holds. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `${what} is not in: ${mine.innerHTML} ${JSON.stringify(errors)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const shows = (text: string) => until(text, () => mine.textContent!.includes(text));
const button = (name: string) =>
  [...mine.querySelectorAll("button")].find(({ textContent }) => textContent === name) as HTMLButtonElement;

await shows("Lisbon");
button("Lisbon").click();
await shows("Hello.");
const input = mine.querySelector("textarea")!;
const setValue = Object.getOwnPropertyDescriptor(window.HTMLTextAreaElement.prototype, "value")!.set!;
setValue.call(input, "When does the train leave?");
input.dispatchEvent(new window.Event("input", { bubbles: true }));
await until("Send", () => !button("Send").disabled);
button("Send").click();
await until("a question", async () => (await client.messages(id)).nodes.at(-1)!.text === "When does the train leave?");
const answer = await client.answer(id, { pause: 0 });
answer.write("At nine ");
await shows("At nine");
await until("Stop", () => !button("Stop").disabled);
button("Stop").click();
await until("CANCELLED", async () => (await client.messages(id)).nodes.at(-1)!.status === "CANCELLED");
assert.doesNotMatch(theirs.textContent!, /Lisbon|Hello|nine/);
roots.forEach((root) => root.unmount());

// A model in the page: its messages are stored by the history of the thread, and are there in the next page.
const model: ChatModelAdapter = {
  async run({ messages }) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const asked = messages.at(-1)!.content.map((part) => (part.type === "text" ? part.text : "")).join("");
    return { content: [{ type: "text", text: `You wrote: ${asked}` }] };
  },
};
let runtime: AssistantRuntime | undefined;
function Local({ threadId }: { threadId?: string }) {
  runtime = useColloquyRuntime({ client, threadId, useThreadRuntime: () => useLocalRuntime(model) });
  return <AssistantRuntimeProvider runtime={runtime}>{null}</AssistantRuntimeProvider>;
}
let root = createRoot(mine);
root.render(<Local />);
await until("a runtime", () => runtime !== undefined);
runtime!.thread.append("Is it stored?");
const texts = () =>
  runtime!.thread.getState().messages.map(({ content }) => content.map((part) => (part.type === "text" ? part.text : "")).join(""));
await until("an answer", () => texts().includes("You wrote: Is it stored?"));
const stored = async () => (await client.sessions({ first: 1 })).nodes[0]!;
await until("two messages", async () => (await stored()).messageCount === 2);
const session = await stored();
assert.equal(session.title, "Is it stored?");
assert.equal(session.lastMessage!.text, "You wrote: Is it stored?");
root.unmount();
runtime = undefined;
root = createRoot(mine);
root.render(<Local threadId={session.id} />);
const history = ["Is it stored?", "You wrote: Is it stored?"].join();
await until("the history", () => runtime !== undefined && texts().join() === history);

// An answer that ends after the user has left its thread is stored in its thread.
runtime!.thread.append("Does it come here?");
await runtime!.threads.switchToNewThread();
await until("the answer in its thread", async () => (await client.session({ id: session.id }))!.messageCount === 4);
root.unmount();

assert.deepEqual(errors, []);
console.log(`React ${version.split(".")[0]} shows it`);
process.exit(0);
