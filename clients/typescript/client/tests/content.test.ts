import { contentOf } from "@colloquy/client";
import { describe, expect, test } from "vitest";
import { STREAMS } from "../../tests/streams.ts";
import { clientOf, newUser } from "../../tests/users.ts";

/** Blocks without their positions, which follow from the order. */
const shape = (blocks: ReturnType<typeof contentOf>) => blocks.map(({ position: _, ...block }) => block);

describe("the blocks of a message that is being written", () => {
  test.each(STREAMS.map(([format, parts], n) => [n, format, parts] as const))(
    "are those of its end: stream %i, %s",
    async (_, partsFormat, parts) => {
      const ann = clientOf(newUser());
      const { id } = await ann.createSession();
      const answer = await ann.answer(id, { partsFormat, pause: 0 });
      answer.writeParts(...parts);
      await expect.poll(async () => (await ann.messages(id)).nodes[0]!.parts?.length).toBe(parts.length);
      const [written] = (await ann.messages(id)).nodes;
      const ended = await answer.finish();
      expect(shape(contentOf(written!))).toEqual(shape(ended.content));
      expect(contentOf(ended)).toBe(ended.content);
    },
  );

  test("grow with every part: a text, a thought, the input of a tool", async () => {
    const ann = clientOf(newUser());
    const { id } = await ann.createSession();
    const answer = await ann.answer(id, { partsFormat: "AI_SDK" });
    const streaming = answer.message;
    const blocksAfter = (...parts: unknown[]) => shape(contentOf({ ...streaming, parts }));
    const start = { type: "tool-input-start", toolCallId: "c", toolName: "weather" };
    const [half, rest] = ['{"city"', ':"Oslo"}'].map((inputTextDelta) => ({ type: "tool-input-delta", toolCallId: "c", inputTextDelta }));
    const call = { __typename: "ToolUseBlock", toolUseId: "c", name: "weather" };
    expect(blocksAfter(start)).toEqual([{ ...call, input: null }]);
    expect(blocksAfter(start, half)).toEqual([{ ...call, input: '{"city"' }]);
    expect(blocksAfter(start, half, rest)).toEqual([{ ...call, input: '{"city":"Oslo"}' }]);
    const available = { type: "tool-input-available", toolCallId: "c", toolName: "weather", input: { city: "Oslo" } };
    expect(blocksAfter(start, half, rest, available)).toEqual([{ ...call, input: { city: "Oslo" } }]);
    const [one, two] = ["a", "b"].map((delta) => ({ type: "reasoning-delta", id: "1", delta }));
    expect(blocksAfter(one)).toEqual([{ __typename: "ReasoningBlock", text: "a" }]);
    expect(blocksAfter(one, two)).toEqual([{ __typename: "ReasoningBlock", text: "ab" }]);
    const chunk = { type: "TOOL_CALL_CHUNK", toolCallId: "c", toolCallName: "weather" };
    expect(blocksAfter({ ...chunk, delta: '{"city"' }, { ...chunk, delta: ':"Os' })).toEqual([{ ...call, input: '{"city":"Os' }]);
    expect(blocksAfter(null, 1, "x", [], { type: "unknown" })).toEqual([]);
    expect(shape(contentOf({ ...streaming, parts: null, text: "so far" }))).toEqual([{ __typename: "TextBlock", text: "so far" }]);
    await answer.cancel();
  });
});
