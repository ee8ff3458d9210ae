import { simulateReadableStream } from "ai";
import { MockLanguageModelV4 } from "ai/test";

const usage = { inputTokens: { total: 3 }, outputTokens: { total: 5 } };
const pieces = (text: string) => text.match(/\S+\s*/g) ?? [];

// The first step thinks and calls the tool, the second one answers.
const thought = [
  { type: "reasoning-start", id: "r" },
  ...pieces("The timetable of Lisbon has it, so I look there first.").map((delta) => ({ type: "reasoning-delta", id: "r", delta })),
  { type: "reasoning-end", id: "r" },
];
const call = [
  { type: "tool-input-start", id: "c", toolName: "timetable" },
  ...['{"fr', 'om": ', '"Lis', 'bon"', "}"].map((delta) => ({ type: "tool-input-delta", id: "c", delta })),
  { type: "tool-input-end", id: "c" },
  { type: "tool-call", toolCallId: "c", toolName: "timetable", input: '{"from": "Lisbon"}' },
  { type: "finish", usage, finishReason: { unified: "tool-calls", raw: "tool-calls" } },
];
const answer = [
  { type: "text-start", id: "t" },
  ...pieces("Trains leave at nine and at ten. ".repeat(20)).map((delta) => ({ type: "text-delta", id: "t", delta })),
  { type: "text-end", id: "t" },
  { type: "finish", usage, finishReason: { unified: "stop", raw: "stop" } },
];

/** A model with a script, which needs neither a key nor a network. */
export const model = new MockLanguageModelV4({
  doStream: (async ({ prompt }: { prompt: { role: string }[] }) => {
    const chunks: object[] = prompt.at(-1)?.role === "tool" ? answer : [...thought, ...call];
    return { stream: simulateReadableStream({ chunks, initialDelayInMs: 50, chunkDelayInMs: 50 }) };
  }) as never,
});
