// An agent without a model: it answers from a script, through the public API like any producer of answers.
// It streams its text, calls a tool, requests an approval, waits for the decision among the events, and goes on.

import { type Api, Refused } from "../api/client.ts";
import { follow } from "../api/follow.ts";
import { APPEND_MESSAGE, DECISIONS, REQUEST_APPROVAL } from "../api/operations.ts";
import { retry } from "../api/retry.ts";
import type { ApprovalStatus } from "../api/types.ts";
import { newKey } from "../keys.ts";
import { Stream } from "./stream.ts";

const NAME = "demo-agent";
const PAUSE_MS = 70;

const OPENING = (question: string) =>
  `I read “${question}”, but I am only a script in this page. I answer through the same API that you use: ` +
  "startMessage, then extendMessage for every few words, each with the offset where it belongs. " +
  "Open a second window to read along, cut the connection, or press Stop: what is written stays.\n\n" +
  "Now I should like to call a tool, and this one needs your approval.";
const APPROVED =
  "Done, the table is yours. Your decision reached me as an ApprovalChanged event, like every other change in this conversation.";
const REJECTED = "All right, I leave it. Nothing was reserved.";
const TABLE = { place: "a small one in Mouraria", people: 2, at: "Saturday, 20:00" };

/** Answers one message; ends early when the user stops the answer. */
export async function answer(api: Api, sessionId: string, question: string, signal: AbortSignal): Promise<void> {
  try {
    await converse(api, sessionId, question, signal);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // ILLEGAL_TRANSITION: stopped; NOT_FOUND: deleted
  }
}

async function converse(api: Api, sessionId: string, question: string, signal: AbortSignal): Promise<void> {
  const asking = await Stream.start(api, sessionId, NAME, signal);
  await speak(asking, OPENING(question.length > 60 ? `${question.slice(0, 60)}…` : question));
  const toolUse = { toolUseId: newKey(), name: "reserve_table", input: TABLE };
  await asking.finish({ role: "assistant", content: [{ text: asking.text }, { toolUse }] });

  const approved = (await decision(api, sessionId, asking.id, toolUse.toolUseId, signal)) === "APPROVED";
  const result = {
    toolUseId: toolUse.toolUseId,
    status: approved ? "success" : "error",
    content: [{ text: approved ? "Reserved, under the number 7H2K." : "Not reserved: a person said no." }],
  };
  const message = { key: newKey(), role: "TOOL", raw: JSON.stringify({ role: "user", content: [{ toolResult: result }] }) };
  await retry(() => api.act(APPEND_MESSAGE, { sessionId, message }), signal);

  const closing = await Stream.start(api, sessionId, NAME, signal);
  await speak(closing, approved ? APPROVED : REJECTED);
  await closing.finish();
}

/** A few words at a time, as a model would. */
async function speak(stream: Stream, text: string): Promise<void> {
  for (const piece of text.match(/(?:\s*\S+){1,3}/g) ?? []) {
    await stream.extend(piece);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Requests the approval of a tool call, and waits for the decision. */
async function decision(
  api: Api,
  sessionId: string,
  messageId: string,
  toolUseId: string,
  signal: AbortSignal,
): Promise<ApprovalStatus> {
  const input = { sessionId, messageId, toolUseId, notes: "May I reserve this table?" };
  const key = newKey();
  const { approval, cursor } = await retry(() => api.act(REQUEST_APPROVAL, input, key), signal);
  return new Promise((resolve) => {
    const stop = follow(
      api,
      DECISIONS,
      { id: sessionId },
      cursor,
      (event) => {
        if (event.__typename !== "ApprovalChanged" || event.approval.id !== approval.id) return;
        if (event.approval.status === "PENDING") return;
        stop();
        resolve(event.approval.status);
      },
      () => stop(),
    );
    signal.addEventListener("abort", () => stop());
  });
}
