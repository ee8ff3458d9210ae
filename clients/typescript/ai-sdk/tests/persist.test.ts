import type { UIMessage } from "ai";
import { describe, expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";
import { loadUIMessages, persist } from "../src/index.ts";
import { json, question, textOf } from "./chats.ts";
import { answering, modelOf } from "./models.ts";
import { collect, read, recordedBy, streamOf } from "./recorded.ts";

const WORDS = ["At ", "nine, ", "👋 ", "or at ten."];

async function sessionOf(client: ReturnType<typeof clientOf>): Promise<string> {
  const { id } = await client.createSession();
  await client.appendMessage(id, { key: "q", role: "USER", raw: JSON.stringify(question("q", "When?")) });
  return id;
}

describe("persist", () => {
  test("stores what the browser reads, with the UIMessage as document, also when the browser leaves", async () => {
    const [ann, bob] = [clientOf(newUser()), clientOf(newUser("stranger"))];
    const id = await sessionOf(ann);
    const answer = await answering(ann, modelOf({ words: WORDS }), { agentKey: "guide" })({ id });
    const message = await read(answer.stream);
    const stored = await answer.message;
    expect(stored).toMatchObject({ status: "COMPLETE", key: answer.messageId, text: expect.stringContaining("At nine, 👋 or at ten.") });
    expect(await loadUIMessages(ann, id)).toEqual([question("q", "When?"), message]);
    expect(message).toMatchObject({ id: answer.messageId, parts: [{ type: "step-start" }, { type: "reasoning" }, { type: "text" }] });
    await expect(answering(bob, modelOf({ words: WORDS }))({ id })).rejects.toMatchObject({ code: "NOT_FOUND" });

    const left = await answering(ann, modelOf({ words: WORDS }))({ id });
    await left.stream.cancel();
    expect((await left.message).status).toBe("COMPLETE");
    expect((await loadUIMessages(ann, id)).map(textOf)).toEqual(["When?", ...Array<string>(2).fill(WORDS.join(""))]);
  });

  test("stores a stream with every type of chunk as the package reads it", async () => {
    const ann = clientOf(newUser());
    for (const { parts } of recordedBy(7)) {
      const id = await sessionOf(ann);
      const answer = await persist(streamOf(parts), { client: ann, sessionId: id, pause: 0 });
      const ends = parts.filter(({ type }) => type === "error" || type === "abort");
      const chunks = await collect(answer.stream);
      expect(chunks.slice(0, parts.length)).toEqual(parts.map((part) => (part.type === "start" ? { ...part, messageId: answer.messageId } : part)));
      const { status } = await answer.message;
      expect(status).toBe(ends.length ? "FAILED" : "COMPLETE");
      const [, stored] = await loadUIMessages(ann, id);
      expect(stored).toEqual({ ...(await read(streamOf(parts))), id: answer.messageId });
    }
  });

  test("aborts the model when another device cancels, and keeps what was written", async () => {
    const user = newUser();
    const [server, phone] = [clientOf(user), clientOf(user)];
    const id = await sessionOf(server);
    const model = modelOf({ words: Array<string>(5000).fill("word "), delay: 10 });
    const answer = await answering(server, model)({ id });
    const chunks = collect(answer.stream);
    await expect.poll(async () => (await phone.messages(id)).nodes.at(-1)!.text).toContain("word word");
    await phone.cancelMessage((await phone.messages(id)).nodes.at(-1)!.id);
    expect((await answer.message).status).toBe("CANCELLED");
    expect((await chunks).at(-1)).toEqual({ type: "abort" });
    expect(model.doStreamCalls[0]!.abortSignal!.aborted).toBe(true);
    expect(textOf((await loadUIMessages(phone, id)).at(-1))).toMatch(/^(word )+$/);
  });

  test("writes a long conversation that is loaded whole, or its newest messages", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const all = Array.from({ length: 130 }, (_, index) => question(`q${index}`, `Question ${index}`));
    const rows = all.map((message) => ({ key: message.id, role: "USER" as const, raw: JSON.stringify(message) }));
    await ann.appendMessages(id, rows.slice(0, 100));
    await ann.appendMessages(id, rows.slice(100));
    expect(await loadUIMessages(ann, id)).toEqual(all);
    expect(await loadUIMessages(ann, id, { limit: 110 })).toEqual(all.slice(20));
  });

  test("is cancelled by the app's own signal", async () => {
    const ann = clientOf(newUser());
    const id = await sessionOf(ann);
    const controller = new AbortController();
    const endless = modelOf({ words: Array<string>(5000).fill("word "), delay: 10 });
    const answer = await answering(ann, endless, { signal: controller.signal })({ id });
    await expect.poll(async () => (await ann.messages(id)).nodes.at(-1)!.text).toContain("word");
    controller.abort();
    expect((await answer.message).status).toBe("CANCELLED");
    expect(endless.doStreamCalls[0]!.abortSignal!.aborted).toBe(true);
  });

  test("cancels the stream of a session that is not there", async () => {
    const ann = clientOf(newUser());
    let cancelled = false;
    const source = new ReadableStream({ cancel: () => void (cancelled = true) });
    await expect(persist(source, { client: ann, sessionId: "ses_none" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(cancelled).toBe(true);
  });

  test("notices a stop while the model is silent", async () => {
    const ann = clientOf(newUser());
    const id = await sessionOf(ann);
    const answer = await persist(new ReadableStream({ start: (it) => it.enqueue({ type: "start" }) }), { client: ann, sessionId: id });
    await ann.cancelMessage((await ann.messages(id)).nodes.at(-1)!.id);
    expect((await answer.message).status).toBe("CANCELLED");
  });

  test("fails with its stream, and gives the browser no reason unless the app does", async () => {
    const ann = clientOf(newUser());
    const id = await sessionOf(ann);
    const broken = () =>
      new ReadableStream({
        start(it) {
          it.enqueue({ type: "start" });
          it.enqueue({ type: "text-start", id: "1" });
          it.enqueue({ type: "text-delta", id: "1", delta: "half" });
        },
        pull: (it) => it.error(new Error("The password is wrong.")),
      });
    const answer = await persist(broken(), { client: ann, sessionId: id });
    expect((await collect(answer.stream)).at(-1)).toEqual({ type: "error", errorText: "The answer has failed." });
    await expect(answer.message).rejects.toThrow("The password is wrong.");
    const spoken = await persist(broken(), { client: ann, sessionId: id, onError: String });
    expect((await collect(spoken.stream)).at(-1)).toMatchObject({ errorText: "Error: The password is wrong." });
    await expect(persist(() => Promise.reject(new Error("No model.")), { client: ann, sessionId: id })).rejects.toThrow("No model.");
    const statuses = (await ann.messages(id)).nodes.map(({ status, text }) => [status, text.trim()]);
    expect(statuses).toEqual([["COMPLETE", "When?"], ["FAILED", "half"], ["FAILED", "half"], ["FAILED", ""]]);
  });

  test("with the key of an answer that is being written replaces its producer", async () => {
    const ann = clientOf(newUser());
    const id = await sessionOf(ann);
    const slow = modelOf({ words: Array<string>(5000).fill("word "), delay: 10 });
    const first = await answering(ann, slow, { key: "answer-to-q" })({ id });
    await expect.poll(async () => (await ann.messages(id)).nodes.at(-1)!.text).toContain("word");
    const second = await answering(ann, modelOf({ words: WORDS }), { key: "answer-to-q" })({ id });
    await expect(first.message).rejects.toMatchObject({ code: expect.stringMatching(/FENCED|ILLEGAL_TRANSITION/) as string });
    expect(slow.doStreamCalls[0]!.abortSignal!.aborted).toBe(true);
    expect((await second.message).status).toBe("COMPLETE");
    await expect(answering(ann, modelOf({ words: WORDS }), { key: "answer-to-q" })({ id })).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await ann.messages(id)).nodes.map(({ status }) => status)).toEqual(["COMPLETE", "FAILED", "COMPLETE"]);
  });

  test("continues the assistant's message after the app has added a result", async () => {
    const ann = clientOf(newUser());
    const id = await sessionOf(ann);
    const called = [
      { type: "start" },
      { type: "start-step" },
      { type: "tool-input-available", toolCallId: "c1", toolName: "weather", input: { city: "Oslo" } },
      { type: "finish-step" },
      { type: "finish" },
    ];
    await (await persist(streamOf(called), { client: ann, sessionId: id })).message;
    const [asked, call] = await loadUIMessages(ann, id);
    const result = json(call!) as UIMessage;
    Object.assign(result.parts[1]!, { state: "output-available", output: { celsius: 21 } });
    const { ColloquyChatTransport } = await import("../src/index.ts");
    const rest = [{ type: "start-step" }, { type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: "21 degrees." }, { type: "text-end", id: "1" }];
    const api = async () => {
      const originalMessages = await loadUIMessages(ann, id);
      await persist(streamOf([{ type: "start" }, ...rest]), { client: ann, sessionId: id, originalMessages });
    };
    const transport = new ColloquyChatTransport({ client: ann, api });
    const request = { chatId: id, messages: [asked!, result], trigger: "submit-message" as const, messageId: result.id, abortSignal: undefined };
    const stream = await transport.sendMessages(request);
    const continued = await read(stream, result);
    expect(continued?.parts.map(({ type }) => type)).toEqual(["step-start", "tool-weather", "step-start", "text"]);
    await expect.poll(() => loadUIMessages(ann, id)).toEqual([asked, continued]);
  });
});
