// The package as a user gets it, in a project of each React that it supports, and its size.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, bundledBytes, compileAndRun, example, install, pack, projectOf } from "../../tests/projects.ts";
import { newUser, tokenOf } from "../../tests/users.ts";

const BUDGET = 5 * 1024; // bytes with gzip, as an application ships it, beside its peers

let directory: string;
let project: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-assistant-ui-"));
  const archives = await pack(directory, "client", "assistant-ui");
  const read = (name: string) => readFile(join(WORKSPACE, "assistant-ui", name), "utf8");
  const files = {
    "chat.tsx": example(await read("README.md"), "Quick start", "tsx"),
    "page.ts": await read("tests/page.ts"),
    "story.tsx": await read("tests/story.tsx"),
  };
  const peers = ["@assistant-ui/react", "assistant-stream", "graphql-ws@6", "graphql"];
  const others = ["jsdom@26", "@types/jsdom@21", "ws", "@types/ws", "@types/node"];
  project = await projectOf(join(directory, "project"), files, [...archives, ...reactOf(19), ...peers, ...others]);
}, 240_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

const reactOf = (major: number) => ["react", "react-dom", "@types/react", "@types/react-dom"].map((name) => `${name}@${major}`);

test.each([19, 18])("the chat of the README works with React %i", { timeout: 240_000 }, async (major) => {
  await install(project, reactOf(major));
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()), STRANGER: tokenOf(newUser("stranger")) };
  expect(await compileAndRun(project, "story.js", env)).toBe(`React ${major} shows it\n`);
});

test("stays within its size", async () => {
  expect(await bundledBytes(join(WORKSPACE, "assistant-ui/dist/index.js"))).toBeLessThanOrEqual(BUDGET);
});
