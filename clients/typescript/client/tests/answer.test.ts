import { describe, expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

const TEXT = "At nine 🚂, or at ten.\n";

async function* slowly<Piece>(pieces: Iterable<Piece>) {
  for (const piece of pieces) {
    yield piece;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("an answer", () => {
  test("is read while it is written, and complete at its end", async () => {
    const user = newUser();
    const [writer, reader] = [clientOf(user), clientOf(user)];
    const session = await writer.createSession();
    const answer = await writer.answer(session.id, { agentKey: "guide", pause: 0 });
    const read: string[] = [];
    const reading = (async () => {
      for await (const event of reader.sessionEvents(session.id, { after: session.eventCursor })) {
        if (event.__typename === "MessageAdded") read.push(event.message.text);
        if (event.__typename === "MessageDelta") read.push(event.text);
        if (event.__typename === "MessageChanged" && event.message.status === "COMPLETE") return event.message;
      }
      return undefined;
    })();
    const usage = { inputTokens: 3, outputTokens: 5 };
    async function* asRead() {
      let text = "";
      for (const piece of [...TEXT]) {
        yield piece;
        text += piece;
        await expect.poll(() => read.join("")).toBe(text);
      }
    }
    const message = await answer.pipe(asRead(), { usage });
    expect(message).toMatchObject({ status: "COMPLETE", text: TEXT, usage: { totalTokens: 8 }, agent: { key: "guide" } });
    expect((await reading)?.text).toBe(TEXT);
    expect(read.length).toBeGreaterThan(2);
  });

  test("is stopped from another device; what was written stays", async () => {
    const user = newUser();
    const [writer, other, stranger] = [clientOf(user), clientOf(user), clientOf(newUser("stranger"))];
    const { id } = await writer.createSession();
    const answer = await writer.answer(id, { pause: 0 });
    let pieces = 0;
    async function* endless() {
      for (; ; pieces++) {
        if (pieces === 5) await other.cancelMessage(answer.message.id);
        yield "word ";
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    await expect(stranger.cancelMessage(answer.message.id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const message = await answer.pipe(endless());
    expect([answer.stopped, answer.signal.aborted, message.status]).toEqual([true, true, "CANCELLED"]);
    expect(message.text).toMatch(/^(word )+$/);
    expect((await other.messages(id)).nodes[0]).toMatchObject({ status: "CANCELLED", text: message.text });
  });

  test("is cancelled by its own signal, and failed by its producer", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const controller = new AbortController();
    const cancelled = await ann.answer(id, { signal: controller.signal });
    cancelled.write("so far");
    controller.abort();
    await expect.poll(() => cancelled.stopped).toBe(true);
    const failing = await ann.answer(id);
    async function* broken() {
      yield "half ";
      throw new Error("The model is gone.");
    }
    await expect(failing.pipe(broken())).rejects.toThrow("The model is gone.");
    const texts = (await ann.messages(id)).nodes.map(({ status, text }) => [status, text]);
    expect(texts).toEqual([
      ["CANCELLED", "so far"],
      ["FAILED", "half "],
    ]);
  });

  test("is taken over by a producer that starts again with its key; the earlier one is fenced off", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const first = await ann.answer(id, { key: "answer-1", pause: 0 });
    first.write("👋 At ");
    await expect.poll(async () => (await ann.messages(id)).nodes[0]?.text).toBe("👋 At ");
    const second = await ann.answer(id, { key: "answer-1" });
    expect(second.existingText).toBe("👋 At ");
    first.write("lost");
    await expect.poll(() => first.signal.aborted).toBe(true);
    expect(() => first.write("more")).toThrow(expect.objectContaining({ code: "FENCED" }) as Error);
    expect((await second.pipe(["nine."])).text).toBe("👋 At nine.");
  });

  test("is sent while pieces come faster than the pause", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const answer = await ann.answer(id, { pause: 100 });
    let isRead = false;
    async function* untilRead() {
      while (!isRead) yield* slowly(["word "]);
    }
    const piping = answer.pipe(untilRead());
    await expect.poll(async () => (await ann.messages(id)).nodes[0]?.text).toContain("word");
    isRead = true;
    expect((await piping).status).toBe("COMPLETE");
  });
});

describe("an answer of parts", () => {
  const CHUNKS = [
    { type: "start" },
    { type: "reasoning-delta", id: "r", delta: "Timetable 🚂" },
    { type: "text-delta", id: "t", delta: "At nine" },
    { type: "text-delta", id: "t", delta: " 👋." },
    { type: "text-end", id: "t" },
    { type: "finish" },
  ];

  test("becomes a message of its format at the end, or what `raw` says", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const answer = await ann.answer(id, { partsFormat: "AI_SDK", pause: 0 });
    const message = await answer.pipeParts(slowly(CHUNKS));
    expect(message).toMatchObject({ status: "COMPLETE", text: "At nine 👋.", parts: null });
    expect(message.content.map(({ __typename }) => __typename)).toEqual(["ReasoningBlock", "TextBlock"]);
    const other = await ann.answer(id, { stream: "PARTS" });
    other.writeParts(...CHUNKS);
    const raw = JSON.stringify({ role: "assistant", content: "At ten." });
    expect(await other.finish({ raw })).toMatchObject({ text: "At ten.", parts: null });
  });

  test("is stopped from another device; the parts so far stay, and a stranger sees none", async () => {
    const user = newUser();
    const [writer, other, stranger] = [clientOf(user), clientOf(user), clientOf(newUser("stranger"))];
    const { id } = await writer.createSession();
    const answer = await writer.answer(id, { partsFormat: "AI_SDK", pause: 0 });
    answer.writeParts(...CHUNKS.slice(0, 3));
    await expect.poll(async () => (await other.messages(id)).nodes[0]?.parts).toEqual(CHUNKS.slice(0, 3));
    await expect(stranger.messages(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await other.cancelMessage(answer.message.id);
    await expect.poll(() => answer.writeParts(CHUNKS[3])).toBe(false);
    expect(answer.stopped).toBe(true);
    expect((await other.messages(id)).nodes[0]).toMatchObject({ status: "CANCELLED", text: "At nine", parts: null });
  });

  test("is continued after its parts by a producer with its key; the earlier one is fenced off", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const options = { key: "answer-1", partsFormat: "AI_SDK", pause: 0 } as const;
    const first = await ann.answer(id, options);
    first.writeParts(...CHUNKS.slice(0, 3));
    await expect.poll(async () => (await ann.messages(id)).nodes[0]?.parts?.length).toBe(3);
    const second = await ann.answer(id, options);
    expect(second.existingParts).toEqual(CHUNKS.slice(0, 3));
    first.writeParts(CHUNKS[3]);
    await expect.poll(() => first.signal.aborted).toBe(true);
    expect(() => first.writeParts(CHUNKS[3])).toThrow(expect.objectContaining({ code: "FENCED" }) as Error);
    expect((await second.pipeParts(CHUNKS.slice(3))).text).toBe("At nine 👋.");
  });

  test("refuses text, parts at another offset, and other parts at the same", async () => {
    const ann = clientOf(newUser());
    const { id: sessionId } = await ann.createSession();
    const answer = await ann.answer(sessionId, { partsFormat: "OTHER" });
    expect(() => answer.write("text")).toThrow("consists of parts");
    const text = await ann.answer(sessionId);
    expect(() => text.writeParts({})).toThrow("consists of text");
    const { message, fence } = await ann.startMessage({ sessionId, stream: "PARTS" });
    const [id, parts] = [message.id, [1, { two: 2 }]];
    await ann.extendMessage({ id, fence, offset: 0, parts });
    await ann.extendMessage({ id, fence, offset: 0, parts });
    const mismatch = { code: "OFFSET_MISMATCH", details: { expectedOffset: 2 } };
    await expect(ann.extendMessage({ id, fence, offset: 3, parts })).rejects.toMatchObject(mismatch);
    await expect(ann.extendMessage({ id, fence, offset: 0, parts: [2] })).rejects.toMatchObject(mismatch);
    expect((await ann.messages(sessionId)).nodes.at(-1)?.parts).toEqual(parts);
    await Promise.all([answer.cancel(), text.cancel()]);
  });
});
