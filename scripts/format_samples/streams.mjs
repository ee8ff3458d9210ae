// Writes streams in parts, and the messages that their packages make of them: `node streams.mjs DIRECTORY`.
import { readFileSync, writeFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";
import { EventType } from "@ag-ui/core";
import * as ai7 from "ai";
import * as ai5 from "ai-v5";
import * as ai6 from "ai-v6";

const beside = (name) => new URL(name, import.meta.url);
const { thought, call, result, answer, source, image } = JSON.parse(readFileSync(beside("story.json")));
const picture = `data:image/png;base64,${image}`;
const halves = (text) => [text.slice(0, 7), text.slice(7)];

/** `kinds`: the types of parts that the package defines. `streams`: the parts, and the message they become. */
function write(name, directory, kinds, streams) {
  const { name: package_, version } = JSON.parse(readFileSync(beside(`node_modules/${directory}/package.json`)));
  const recorded = { packages: { [package_]: version }, kinds: [...new Set(kinds)].sort(), streams };
  writeFileSync(`${process.argv[2]}/${name}.json`, `${JSON.stringify(recorded, null, 1)}\n`);
}

// AI SDK

const text = (id, value) => [
  { type: "text-start", id },
  ...halves(value).map((delta) => ({ type: "text-delta", id, delta })),
  { type: "text-end", id },
];
const reasoning = [
  { type: "reasoning-start", id: "1", providerMetadata: { model: { signature: "s" } } },
  ...halves(thought).map((delta) => ({ type: "reasoning-delta", id: "1", delta })),
  { type: "reasoning-end", id: "1" },
];
const input = (id, dynamic) => [
  { type: "tool-input-start", toolCallId: id, toolName: call.name, ...dynamic },
  ...halves(JSON.stringify(call.input)).map((inputTextDelta) => ({ type: "tool-input-delta", toolCallId: id, inputTextDelta })),
];
const available = (id, dynamic) => ({ type: "tool-input-available", toolCallId: id, toolName: call.name, input: call.input, ...dynamic });
const story = [
  { type: "start", messageId: "m2", messageMetadata: { model: "m", usage: { a: 1 } } },
  { type: "start-step" },
  ...reasoning,
  ...input(call.id),
  available(call.id),
  { type: "tool-output-available", toolCallId: call.id, output: result, preliminary: true },
  { type: "tool-output-available", toolCallId: call.id, output: result },
  { type: "finish-step" },
  { type: "start-step" },
  { type: "source-url", sourceId: "s1", ...source },
  ...text("2", answer),
  { type: "finish-step" },
  { type: "message-metadata", messageMetadata: { usage: { b: 2 } } },
  { type: "finish", messageMetadata: { totalUsage: { inputTokens: 3, outputTokens: 4, totalTokens: 7 } } },
];
const others = [
  { type: "start" },
  { type: "start-step" },
  ...input("c2", { dynamic: true }),
  available("c2", { dynamic: true }),
  { type: "tool-output-error", toolCallId: "c2", errorText: "no network", dynamic: true },
  available("c3", { providerExecuted: true }),
  { type: "tool-output-error", toolCallId: "c3", errorText: "no network" },
  { type: "source-document", sourceId: "s2", mediaType: "application/pdf", title: "Oslo", filename: "oslo.pdf" },
  { type: "file", mediaType: "image/png", url: picture },
  { type: "data-chart", id: "d1", data: { celsius: [20] } },
  { type: "data-chart", id: "d1", data: { celsius: [21] } },
  { type: "data-note", data: "once" },
  { type: "data-note", data: "gone", transient: true },
  { type: "finish-step" },
  { type: "finish" },
];
const approvals = [
  { type: "start-step" },
  available("c5"),
  { type: "tool-approval-request", toolCallId: "c5", approvalId: "a1" },
  available("c6"),
  { type: "tool-approval-request", toolCallId: "c6", approvalId: "a2" },
  { type: "tool-output-denied", toolCallId: "c6" },
];
// In version 7 only, or another message before it.
const newest = [
  ...input("c4"),
  { type: "tool-input-error", toolCallId: "c4", toolName: call.name, input: "{", errorText: "no JSON" },
  { type: "start-step" },
  ...text("3", "dropped by the reset"),
  available("c7"),
  { type: "reset-step" },
  available("c7"),
  { type: "tool-approval-request", toolCallId: "c7", approvalId: "a3", reason: "costs money", isAutomatic: true },
  { type: "tool-approval-response", approvalId: "a3", approved: false, reason: "too much" },
  { type: "reasoning-file", mediaType: "image/png", url: picture },
  { type: "custom", kind: "demo.card" },
  { type: "steering-message", id: "m3", parts: [{ type: "text", text: "In Bergen too, please." }] },
  { type: "error", errorText: "too late" },
  { type: "abort" },
];
const stopped = { text: story.slice(0, -5), reasoning: story.slice(0, 4), input: story.slice(0, 7) };

async function read(sdk, chunks) {
  let last;
  const messages = sdk.readUIMessageStream({ stream: sdk.simulateReadableStream({ chunks }), onError: () => undefined });
  for await (const message of messages) last = message;
  return JSON.parse(JSON.stringify(last));
}

async function writeAISDK(version, sdk, directory, streams) {
  const types = readFileSync(beside(`node_modules/${directory}/dist/index.d.ts`), "utf8");
  const [chunk] = types.slice(types.indexOf("type UIMessageChunk<")).split("\ntype InferUIMessageChunk<");
  const kinds = [...chunk.matchAll(/type: ['"]([\w-]+)['"]/g)].map(([, kind]) => kind);
  const recorded = [];
  for (const parts of streams) recorded.push({ parts, message: await read(sdk, parts) });
  write(`ai_sdk_${version}`, directory, kinds, recorded);
}

const common = [story, others, ...Object.values(stopped)];
await writeAISDK(5, ai5, "ai-v5", common);
await writeAISDK(6, ai6, "ai-v6", [...common, approvals]);
await writeAISDK(7, ai7, "ai", [...common, approvals, newest]);

// AG-UI

const run = { threadId: "t", runId: "r" };
const told = [
  { type: "RUN_STARTED", ...run },
  { type: "STEP_STARTED", stepName: "look up" },
  { type: "REASONING_START", messageId: "m2" },
  { type: "REASONING_MESSAGE_START", messageId: "m2", role: "reasoning" },
  ...halves(thought).map((delta) => ({ type: "REASONING_MESSAGE_CONTENT", messageId: "m2", delta })),
  { type: "REASONING_MESSAGE_END", messageId: "m2" },
  { type: "REASONING_END", messageId: "m2" },
  { type: "TEXT_MESSAGE_START", messageId: "m3", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m3", delta: "I look it up." },
  { type: "TEXT_MESSAGE_END", messageId: "m3" },
  { type: "TOOL_CALL_START", toolCallId: call.id, toolCallName: call.name, parentMessageId: "m3" },
  ...halves(JSON.stringify(call.input)).map((delta) => ({ type: "TOOL_CALL_ARGS", toolCallId: call.id, delta })),
  { type: "TOOL_CALL_END", toolCallId: call.id },
  { type: "TOOL_CALL_START", toolCallId: "c2", toolCallName: call.name },
  { type: "TOOL_CALL_END", toolCallId: "c2" },
  { type: "TOOL_CALL_RESULT", messageId: "m4", toolCallId: call.id, content: JSON.stringify(result) },
  { type: "ACTIVITY_SNAPSHOT", messageId: "m5", activityType: "PLAN", content: { steps: ["look up"] } },
  { type: "ACTIVITY_SNAPSHOT", messageId: "m5", activityType: "PLAN", content: { steps: [] } },
  { type: "STATE_SNAPSHOT", snapshot: { city: "Oslo" } },
  { type: "TEXT_MESSAGE_START", messageId: "m6", role: "assistant" },
  ...halves(answer).map((delta) => ({ type: "TEXT_MESSAGE_CONTENT", messageId: "m6", delta })),
  { type: "TEXT_MESSAGE_END", messageId: "m6" },
  { type: "STEP_FINISHED", stepName: "look up" },
  { type: "RUN_FINISHED", ...run },
];
const chunks = [
  { type: "RUN_STARTED", ...run },
  { type: "REASONING_MESSAGE_CHUNK", messageId: "m2", delta: thought },
  { type: "TOOL_CALL_CHUNK", toolCallId: call.id, toolCallName: call.name, parentMessageId: "m3", delta: '{"city"' },
  { type: "TOOL_CALL_CHUNK", delta: ': "Oslo"}' },
  ...halves(answer).map((delta) => ({ type: "TEXT_MESSAGE_CHUNK", messageId: "m6", role: "assistant", delta })),
  { type: "RUN_FINISHED", ...run },
];
const short = [
  { type: "RUN_STARTED", ...run },
  { type: "TEXT_MESSAGE_START", messageId: "m6", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m6", delta: answer },
  { type: "TEXT_MESSAGE_END", messageId: "m6" },
  { type: "RUN_FINISHED", ...run },
];

async function recordAGUI(parts) {
  const body = parts.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const respond = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const agent = new HttpAgent({ url: "http://agent.example/", fetch: respond });
  await agent.runAgent();
  const messages = JSON.parse(JSON.stringify(agent.messages));
  return { parts, message: messages.length === 1 ? messages[0] : messages };
}

const recorded = [];
for (const parts of [told, chunks, short]) recorded.push(await recordAGUI(parts));
write("ag_ui", "@ag-ui/core", Object.values(EventType), recorded);
