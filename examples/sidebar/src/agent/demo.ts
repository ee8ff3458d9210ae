// An agent without a model: it answers from a script, through the public API like any producer of answers.
// It streams its answer in parts, calls a tool, requests an approval, waits for the decision among the events, and goes on.

import { type ApprovalStatus, type ColloquyClient, ColloquyError } from "@colloquy/client";

const NAME = "demo-agent";
const TOOL = "reserve_table";
const PAUSE_MS = 70;

const THOUGHT = "A table for two, on Saturday. The list of small places is the one to trust; then I need a yes before I reserve.";
const OPENING = (question: string) =>
  `I read “${question}”, but I am only a script in this page. I answer through the same API that you use: ` +
  "startMessage, then extendMessage for every few words, each with the offset where it belongs. " +
  "Open a second window to read along, cut the connection, or press Stop: what is written stays.\n\n" +
  "Now I should like to call a tool, and this one needs your approval.";
const SOURCE = { type: "source-url", sourceId: "list", url: "https://example.com/mouraria", title: "Small places in Mouraria" };
const APPROVED =
  "Done, the table is yours. Your decision reached me as an ApprovalChanged event, like every other change in this conversation.";
const REJECTED = "All right, I leave it. Nothing was reserved.";
const TABLE = { place: "a small one in Mouraria", people: 2, at: "Saturday, 20:00" };

/** Answers one message; ends early when the user stops the answer. */
export async function answer(client: ColloquyClient, sessionId: string, question: string): Promise<void> {
  try {
    await converse(client, sessionId, question);
  } catch (error) {
    if (!(error instanceof ColloquyError)) throw error; // the session is deleted, or the server is away for long
  }
}

async function converse(client: ColloquyClient, sessionId: string, question: string): Promise<void> {
  const toolUseId = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const asking = await client.answer(sessionId, { agentKey: NAME, partsFormat: "AI_SDK" });
  const asked = await asking.pipeParts(opening(question.length > 60 ? `${question.slice(0, 60)}…` : question, toolUseId));
  if (asking.stopped) return;

  const approved = (await decision(client, sessionId, asked.id, toolUseId)) === "APPROVED";
  const result = {
    toolUseId,
    status: approved ? "success" : "error",
    content: [{ text: approved ? "Reserved, under the number 7H2K." : "Not reserved: a person said no." }],
  };
  await client.appendMessage(sessionId, { role: "TOOL", raw: JSON.stringify({ role: "user", content: [{ toolResult: result }] }) });

  const closing = await client.answer(sessionId, { agentKey: NAME });
  await closing.pipe(slowly(approved ? APPROVED : REJECTED));
}

/** The chunks of AI SDK for a thought, a text, a source and the call of a tool. */
async function* opening(question: string, toolCallId: string): AsyncGenerator<object> {
  for await (const delta of slowly(THOUGHT)) yield { type: "reasoning-delta", id: "thought", delta };
  for await (const delta of slowly(OPENING(question))) yield { type: "text-delta", id: "opening", delta };
  yield SOURCE;
  const call = { toolCallId, toolName: TOOL };
  yield { type: "tool-input-start", ...call };
  for await (const inputTextDelta of slowly(JSON.stringify(TABLE))) yield { type: "tool-input-delta", toolCallId, inputTextDelta };
  yield { type: "tool-input-available", ...call, input: TABLE };
}

/** A few words at a time, as a model would. */
async function* slowly(text: string): AsyncGenerator<string> {
  for (const piece of text.match(/(?:\s*\S+){1,3}/g) ?? []) {
    yield piece;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Requests the approval of a tool call, and waits for the decision. */
async function decision(
  client: ColloquyClient,
  sessionId: string,
  messageId: string,
  toolUseId: string,
): Promise<ApprovalStatus | undefined> {
  const before = await client.session({ id: sessionId });
  const notes = "May I reserve this table?";
  const { id } = await client.requestApproval({ sessionId, messageId, toolUseId, notes });
  for await (const event of client.sessionEvents(sessionId, { after: before?.eventCursor ?? null })) {
    if (event.__typename !== "ApprovalChanged" || event.approval.id !== id) continue;
    if (event.approval.status !== "PENDING") return event.approval.status;
  }
  return undefined;
}
