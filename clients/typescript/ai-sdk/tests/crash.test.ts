// The server is killed in the middle of an answer, and started again.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Server, startServer } from "../../tests/server.ts";
import { clientOf, newUser } from "../../tests/users.ts";
import { expectEqual, textOf, windowOn } from "./chats.ts";
import { answering, modelOf } from "./models.ts";

const WORDS = Array.from({ length: 150 }, (_, index) => `word${index} `);
let directory: string;
let server: Server;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-killed-"));
  server = await startServer(directory);
});
afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

test("an answer goes on in both windows after the server was killed in its middle", { timeout: 120_000 }, async () => {
  const user = newUser();
  const { url } = server;
  const [laptop, phone, app] = [clientOf(user, { url }), clientOf(user, { url }), clientOf(user, { url })];
  const { id } = await laptop.createSession();
  const first = windowOn(laptop, id, answering(app, modelOf({ words: WORDS, delay: 20 })));
  const second = windowOn(phone, id);
  const sending = first.chat.sendMessage({ text: "When?" });
  await expect.poll(() => textOf(second.chat.lastMessage)).toContain("word10 ");
  const died = new Promise((resolve) => server.process.once("exit", resolve));
  server.process.kill("SIGKILL");
  await died;
  server = await startServer(directory, Number(new URL(url).port));
  await sending;
  const stored = await expectEqual(phone, id, first, second);
  expect(stored.map(textOf)).toEqual(["When?", WORDS.join("")]);
  expect((await phone.messages(id)).nodes.map(({ status }) => status)).toEqual(["COMPLETE", "COMPLETE"]);
  first.close();
  second.close();
});
