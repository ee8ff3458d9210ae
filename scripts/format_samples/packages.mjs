// Writes the samples of the formats that npm packages define into a directory: `node packages.mjs DIRECTORY`.
// Every sample has the same story (story.json), as those of the Python packages.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { HttpAgent } from "@ag-ui/client";
import { ExportedMessageRepository } from "@assistant-ui/core";
import { AIMessage, HumanMessage, mapChatMessagesToStoredMessages, ToolMessage } from "@langchain/core/messages";
import * as ai7 from "ai";
import { MockLanguageModelV4 } from "ai/test";
import * as ai5 from "ai-v5";
import { MockLanguageModelV2 } from "ai-v5/test";
import * as ai6 from "ai-v6";
import { MockLanguageModelV3 } from "ai-v6/test";
import { z } from "zod";

const beside = (name) => new URL(name, import.meta.url);
const { question, thought, call, result, answer, source, usage, image } = JSON.parse(readFileSync(beside("story.json")));
const picture = `data:image/png;base64,${image}`;
const require = createRequire(import.meta.url);
const user = (document) => ({ role: "USER", document });
const assistant = (document) => ({ role: "ASSISTANT", document });
const tool = (document) => ({ role: "TOOL", document });

/** `more`: documents with other parts of the format. `kinds`: the parts that the package's own types list. */
function write(name, directory, messages, more = [], kinds = []) {
  const path = require.resolve.paths(directory).map((paths) => `${paths}/${directory}/package.json`);
  const { name: package_, version } = JSON.parse(readFileSync(path.find((file) => exists(file))));
  const sample = { packages: { [package_]: version }, messages, more, kinds: [...new Set(kinds)].sort() };
  writeFileSync(`${process.argv[2]}/${name}.json`, `${JSON.stringify(sample, null, 1)}\n`);
}

function exists(file) {
  try {
    return Boolean(readFileSync(file));
  } catch {
    return false;
  }
}

/** The `type` of every part in a declaration file, from `first` on. */
function kindsIn(file, first, last) {
  const text = readFileSync(beside(`node_modules/${file}`), "utf8");
  const part = text.slice(text.indexOf(first), text.indexOf(last));
  return [...part.matchAll(/\n\s+(?:readonly )?type: ['"]([\w-]+)['"];/g)].map(([, kind]) => kind);
}

// AI SDK: an answer that `streamText` makes with a model of the SDK's own tests, as `readUIMessageStream` returns it.

async function writeAISDK(version, sdk, Model, usageOf) {
  const finish = (unified) => ({ type: "finish", finishReason: version === 5 ? unified : { unified, raw: unified }, usage: usageOf });
  const steps = [
    [
      { type: "reasoning-start", id: "1" },
      { type: "reasoning-delta", id: "1", delta: thought },
      { type: "reasoning-end", id: "1" },
      { type: "tool-call", toolCallId: call.id, toolName: call.name, input: JSON.stringify(call.input) },
      finish("tool-calls"),
    ],
    [
      { type: "text-start", id: "2" },
      { type: "text-delta", id: "2", delta: answer },
      { type: "text-end", id: "2" },
      { type: "source", sourceType: "url", id: "s1", ...source },
      finish("stop"),
    ],
  ];
  let step = 0;
  const model = new Model({
    doStream: async () => ({ stream: sdk.simulateReadableStream({ chunks: [{ type: "stream-start", warnings: [] }, ...steps[step++]] }) }),
  });
  const weather = sdk.tool({ inputSchema: z.object({ city: z.string() }), execute: async () => result });
  const stream = sdk.streamText({ model, tools: { weather }, prompt: question, stopWhen: sdk.stepCountIs(2) });
  const parts = stream.toUIMessageStream({
    sendSources: true,
    generateMessageId: () => "m2",
    originalMessages: [],
    messageMetadata: ({ part }) => (part.type === "finish" ? { totalUsage: part.totalUsage } : undefined),
  });
  let last;
  for await (const message of sdk.readUIMessageStream({ stream: parts })) last = message;
  const asked = { id: "m1", role: "user", parts: [{ type: "text", text: question }, { type: "file", mediaType: "image/png", url: picture }] };
  const [checked] = await sdk.validateUIMessages({ messages: [asked] });
  const files = [
    { type: "source-document", sourceId: "s2", mediaType: "application/pdf", title: "Oslo", filename: "oslo.pdf" },
    { type: "data-chart", id: "d1", data: { celsius: [21] } },
    { type: "dynamic-tool", toolName: "find", toolCallId: "c2", state: "output-error", input: {}, errorText: "no network" },
    { type: "dynamic-tool", toolName: "find", toolCallId: "c3", state: "input-available", input: {} },
  ];
  const newer = [
    { type: "reasoning-file", mediaType: "image/png", url: picture },
    { type: "custom", kind: "demo.card" },
    { type: "steering-message", id: "m3", parts: [{ type: "text", text: "In Bergen too, please." }] },
  ];
  const other = { id: "m4", role: "assistant", parts: version === 7 ? [...files, ...newer] : files };
  const more = await sdk.validateUIMessages({ messages: [other], dataSchemas: { chart: z.object({ celsius: z.array(z.number()) }) } });
  const directory = version === 7 ? "ai" : `ai-v${version}`;
  const kinds = kindsIn(`${directory}/dist/index.d.ts`, "type TextUIPart =", "type DynamicToolUIPart =");
  write(`ai_sdk_${version}`, directory, [user(checked), assistant(last)], more, [...kinds, "dynamic-tool"]);
  if (version === 7) {
    const [, called, returned, said] = await sdk.convertToModelMessages([checked, last]);
    write("ai_sdk_model", directory, [user({ role: "user", content: question }), assistant(called), tool(returned), assistant(said)]);
  }
}

// assistant-ui

function writeAssistantUI() {
  const parts = [
    { type: "reasoning", text: thought },
    { type: "tool-call", toolCallId: call.id, toolName: call.name, args: call.input, argsText: JSON.stringify(call.input), result },
    { type: "text", text: answer },
    { type: "source", sourceType: "url", id: "s1", ...source },
  ];
  const steps = [{ messageId: "m2", usage: { inputTokens: usage.input, outputTokens: usage.output } }];
  const attachment = { id: "a1", type: "image", name: "oslo.png", contentType: "image/png", status: { type: "complete" }, content: [{ type: "image", image: picture }] };
  const repository = ExportedMessageRepository.fromArray([
    { id: "m1", role: "user", content: [{ type: "text", text: question }], attachments: [attachment] },
    { id: "m2", role: "assistant", content: parts, metadata: { steps } },
    {
      id: "m3",
      role: "user",
      content: [
        { type: "file", data: image, mimeType: "application/pdf", filename: "oslo.pdf" },
        { type: "audio", audio: { data: image, format: "wav" } },
        { type: "data", name: "chart", data: { celsius: [21] } },
      ],
    },
    { id: "m4", role: "assistant", content: [{ type: "generative-ui", spec: { root: { component: "Card" } } }, { type: "source", sourceType: "document", id: "s2", title: "Oslo", mediaType: "application/pdf", filename: "oslo.pdf" }] },
  ]);
  const messages = JSON.parse(JSON.stringify(repository.messages)).map(({ message }) => message);
  const record = { id: "m2", parent_id: "m1", format: "aui/v0", content: messages[1] };
  const kinds = kindsIn("@assistant-ui/core/dist/types/message.d.ts", "export type TextMessagePart", "export type ThreadUserMessagePart");
  const known = kinds.filter((kind) => !["human", "action", "human-response"].includes(kind));
  write("assistant_ui", "@assistant-ui/core", [user(messages[0]), assistant(messages[1])], [...messages.slice(2), record], known);
}

// AG-UI: the messages that the client makes of the events of an agent.

async function writeAGUI() {
  const run = { threadId: "t", runId: "r" };
  const events = [
    { type: "RUN_STARTED", ...run },
    { type: "REASONING_START", messageId: "m2" },
    { type: "REASONING_MESSAGE_START", messageId: "m2", role: "reasoning" },
    { type: "REASONING_MESSAGE_CONTENT", messageId: "m2", delta: thought },
    { type: "REASONING_MESSAGE_END", messageId: "m2" },
    { type: "REASONING_END", messageId: "m2" },
    { type: "TOOL_CALL_START", toolCallId: call.id, toolCallName: call.name, parentMessageId: "m3" },
    { type: "TOOL_CALL_ARGS", toolCallId: call.id, delta: JSON.stringify(call.input) },
    { type: "TOOL_CALL_END", toolCallId: call.id },
    { type: "TOOL_CALL_RESULT", messageId: "m4", toolCallId: call.id, content: JSON.stringify(result) },
    { type: "ACTIVITY_SNAPSHOT", messageId: "m5", activityType: "PLAN", content: { steps: ["look up"] } },
    { type: "TEXT_MESSAGE_START", messageId: "m6", role: "assistant" },
    { type: "TEXT_MESSAGE_CONTENT", messageId: "m6", delta: answer },
    { type: "TEXT_MESSAGE_END", messageId: "m6" },
    { type: "RUN_FINISHED", ...run },
  ];
  const body = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const respond = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const content = [{ type: "text", text: question }, { type: "image", source: { type: "data", value: image, mimeType: "image/png" } }];
  const agent = new HttpAgent({ url: "http://agent.example/", initialMessages: [{ id: "m1", role: "user", content }], fetch: respond });
  await agent.runAgent();
  const [asked, ...answers] = JSON.parse(JSON.stringify(agent.messages));
  const activity = answers.find(({ role }) => role === "activity");
  const told = answers.filter(({ role }) => role !== "activity").map((message) => (message.role === "tool" ? tool : assistant)(message));
  const more = [
    activity,
    { id: "m7", role: "tool", toolCallId: "c2", content: "", error: "no network" },
    {
      id: "m8",
      role: "user",
      content: [
        { type: "audio", source: { type: "url", value: "https://tea.example/a.wav", mimeType: "audio/wav" } },
        { type: "video", source: { type: "file", value: "f1", provider: "p" } },
        { type: "document", source: { type: "data", value: image, mimeType: "application/pdf" } },
      ],
    },
  ];
  const { MessageSchema, InputContentSchema } = await import("@ag-ui/core/schemas");
  const kinds = InputContentSchema.options.map(({ shape }) => shape.type.value);
  write("ag_ui", "@ag-ui/core", [user(asked), ...told], more.map((message) => MessageSchema.parse(message)), kinds);
}

// LangChain in JavaScript

function writeLangChain() {
  const tokens = { input_tokens: usage.input, output_tokens: usage.output, total_tokens: 42 };
  const calls = [{ type: "tool_call", id: call.id, name: call.name, args: call.input }];
  const story = [
    new HumanMessage({ content: [{ type: "text", text: question }, { type: "image_url", image_url: { url: picture } }] }),
    new AIMessage({ content: [{ type: "reasoning", reasoning: thought }], tool_calls: calls, usage_metadata: tokens }),
    new ToolMessage({ content: JSON.stringify(result), tool_call_id: call.id }),
    new AIMessage({ content: answer, usage_metadata: tokens }),
  ];
  const entries = (documents) => JSON.parse(JSON.stringify(documents)).map((document, index) => [user, assistant, tool, assistant][index](document));
  write("langchain_js_constructor", "@langchain/core", entries(story));
  write("langchain_js_stored", "@langchain/core", entries(mapChatMessagesToStoredMessages(story)));
}

await writeAISDK(5, ai5, MockLanguageModelV2, { inputTokens: 15, outputTokens: 6, totalTokens: 21 });
const counts = { inputTokens: { total: 15 }, outputTokens: { total: 6 } };
await writeAISDK(6, ai6, MockLanguageModelV3, counts);
await writeAISDK(7, ai7, MockLanguageModelV4, counts);
writeAssistantUI();
await writeAGUI();
writeLangChain();
