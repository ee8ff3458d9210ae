import { describe, expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";

const TEXT = "At nine 🚂, or at ten.\n";

async function* slowly(pieces: Iterable<string>) {
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
    const message = await answer.pipe(slowly(TEXT), { usage });
    expect(message).toMatchObject({ status: "COMPLETE", text: TEXT, usage: { totalTokens: 8 }, agent: { key: "guide" } });
    expect((await reading)?.text).toBe(TEXT);
    expect(read.length).toBeGreaterThan(2);
    expect(TEXT.startsWith(read.join(""))).toBe(true);
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
});
