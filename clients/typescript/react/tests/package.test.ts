// The package as a user gets it, in a project of each React that it supports.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, compileAndRun, example, pack, projectOf } from "../../tests/projects.ts";
import { newUser, tokenOf } from "../../tests/users.ts";

let directory: string;
let archives: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-react-"));
  archives = await pack(directory, "client", "react");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each([18, 19])("the hooks of the README show a conversation with React %i", { timeout: 180_000 }, async (major) => {
  const read = (name: string) => readFile(join(WORKSPACE, "react", name), "utf8");
  const files = { "chat.tsx": example(await read("README.md"), "Quick start", "tsx"), "story.tsx": await read("tests/story.tsx") };
  const react = ["react", "react-dom", "@types/react", "@types/react-dom"].map((name) => `${name}@${major}`);
  const others = ["jsdom@26", "@types/jsdom@21", "graphql-ws@6", "graphql", "ws", "@types/ws", "@types/node"];
  const project = await projectOf(join(directory, `react-${major}`), files, [...archives, ...react, ...others]);
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()), STRANGER: tokenOf(newUser("stranger")) };
  expect(await compileAndRun(project, "story.js", env)).toBe(`React ${major} shows it\n`);
});
