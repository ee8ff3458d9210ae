// Chats whose answers a server in Python writes with `colloquy.ai_sdk`.

import { Chat } from "@ai-sdk/react";
import { type ColloquyClient } from "@colloquy/client";
import type { UIMessage } from "ai";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE } from "../../tests/projects.ts";
import { freePort } from "../../tests/server.ts";
import { clientOf, newUser, tokenOf } from "../../tests/users.ts";
import { ColloquyChatTransport, followChat, loadUIMessages } from "../src/index.ts";
import { type Window, expectEqual } from "./chats.ts";
import { recordedBy } from "./recorded.ts";

let api: string;
let server: ChildProcess;
beforeAll(async () => {
  const port = await freePort();
  const program = join(WORKSPACE, "ai-sdk/tests/python_server.py");
  const colloquy = new URL(inject("url")).origin;
  server = spawn(join(WORKSPACE, "../../.venv/bin/python"), [program, String(port), colloquy], { stdio: "inherit" });
  api = `http://127.0.0.1:${port}/api/chat`;
  while (!(await fetch(api).catch(() => undefined))) await new Promise((resolve) => setTimeout(resolve, 50));
});
afterAll(() => void server.kill());

/** A window of the user on a session, as a page opens it. */
function windowOn(client: ColloquyClient, sessionId: string): Window {
  const chat = new Chat<UIMessage>({ id: sessionId, transport: new ColloquyChatTransport({ client, api }) });
  return { chat, close: followChat(chat, { client, sessionId }) };
}

function asks({ chat }: Window, user: string, isEndless = false): void {
  const headers = { authorization: `Bearer ${tokenOf(user)}` };
  void chat.sendMessage({ text: "How warm?" }, { headers, body: { isEndless } });
}

const shows = ({ chat }: Window, type: string) =>
  expect.poll(() => chat.messages.at(-1)?.parts.some((part) => part.type === type)).toBe(true);

test("windows show the recorded message after a reload in a thought, a call and a text; a stranger sees nothing", async () => {
  const user = newUser();
  const ann = clientOf(user);
  const { id } = await ann.createSession({ title: "Oslo" });
  const first = windowOn(ann, id);
  let second = windowOn(ann, id);
  asks(first, user);
  for (const type of ["reasoning", "tool-weather", "text"]) {
    await shows(first, type);
    second.close();
    second = windowOn(ann, id);
  }
  const [, answer] = await expectEqual(ann, id, first, second);
  const [recorded] = recordedBy(7);
  expect(answer).toEqual({ ...recorded!.message, id: answer!.id });
  await expect(loadUIMessages(clientOf(newUser("bob")), id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  for (const window of [first, second]) window.close();
});

test("Stop in the second window ends the answer in both", async () => {
  const user = newUser();
  const ann = clientOf(user);
  const { id } = await ann.createSession({ title: "Oslo" });
  const windows = [windowOn(ann, id), windowOn(ann, id)] as const;
  asks(windows[0], user, true);
  await shows(windows[1], "tool-weather");
  await windows[1].chat.stop();
  const status = async () => (await ann.messages(id)).nodes.map((message) => message.status);
  await expect.poll(status).toEqual(["COMPLETE", "CANCELLED"]);
  await expectEqual(ann, id, ...windows);
  for (const window of windows) window.close();
});
