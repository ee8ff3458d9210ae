import type { UIMessage } from "ai";
import { describe, expect, test } from "vitest";
import { asJson, messageOf } from "../src/chunk.ts";
import { chunksAfter } from "../src/chunks-after.ts";
import { definedTypes, readChunks, recordedBy } from "./recorded.ts";

const STREAMS = [5, 6, 7].flatMap((version) => recordedBy(version).map(({ parts }, index) => ({ name: `${version}/${index}`, parts })));

describe.each(STREAMS)("the recorded stream $name", ({ parts }) => {
  test("cut at every chunk and completed from its message equals the uncut message", async () => {
    const whole = await messageOf(parts, "m1");
    for (let cut = 0; cut <= parts.length; cut++) {
      const sent = parts.slice(0, cut);
      const before = cut ? await messageOf(sent, "m1") : undefined;
      const rest = chunksAfter(whole, before, sent);
      expect(await messageOf([...sent, ...rest], "m1"), `cut at ${cut}`).toEqual(whole);
      if (cut === parts.length) expect(rest).toEqual([]);
    }
  });

  test("is what the package reads", async () => {
    const { id: _, ...read } = (await readChunks(parts))!;
    expect(await messageOf(parts, "m1")).toMatchObject(read);
  });
});

test("every type of chunk that the package defines is in a recorded stream", () => {
  const recorded = new Set(recordedBy(7).flatMap(({ parts }) => parts.map(({ type }) => type)));
  expect(definedTypes().length).toBeGreaterThan(20);
  expect(definedTypes().filter((type) => !recorded.has(type) && type !== "data-")).toEqual([]);
});

test("a message is continued by what another producer has put in its place", async () => {
  const written = { id: "m1", role: "assistant", parts: [{ type: "text", text: "It is 2", state: "streaming" }] } as UIMessage;
  const sent = [{ type: "start", messageId: "m1" }, { type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: "It is 2" }];
  const stored = { id: "m1", role: "assistant", metadata: { model: "m" }, parts: [{ type: "text", text: "No idea.", state: "done" }] } as UIMessage;
  const rest = chunksAfter(stored, written, sent);
  expect(rest[0]).toEqual({ type: "message-metadata", messageMetadata: { model: "m" } });
  expect(await messageOf([...sent, ...rest], "m1")).toEqual(asJson(stored));
});
