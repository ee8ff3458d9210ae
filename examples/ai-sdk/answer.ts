import { loadUIMessages, persist } from "@colloquy/ai-sdk";
import { ColloquyClient } from "@colloquy/client";
import { convertToModelMessages, createUIMessageStreamResponse, isStepCount, streamText, tool } from "ai";
import { z } from "zod";
import { model } from "./model.ts";

const { COLLOQUY_URL, COLLOQUY_TOKEN } = process.env;
const client = new ColloquyClient({ url: `${COLLOQUY_URL}/graphql`, token: COLLOQUY_TOKEN! });

const timetable = tool({
  description: "The trains from a city",
  inputSchema: z.object({ from: z.string() }),
  execute: async () => ["09:00", "10:00"],
});

/** Answers the newest message of a session. */
export async function POST(request: Request): Promise<Response> {
  const { id } = (await request.json()) as { id: string };
  const messages = await convertToModelMessages(await loadUIMessages(client, id));
  const answer = await persist(
    ({ signal }) =>
      streamText({ model, messages, tools: { timetable }, stopWhen: isStepCount(5), abortSignal: signal }).toUIMessageStream(),
    { client, sessionId: id },
  );
  return createUIMessageStreamResponse({ stream: answer.stream });
}
