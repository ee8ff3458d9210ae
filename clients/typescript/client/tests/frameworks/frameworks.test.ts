// Vue and Svelte over the stores, as the README shows it, in an empty project.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, compileAndRun, example, pack, projectOf } from "../../../tests/projects.ts";
import { newUser, tokenOf } from "../../../tests/users.ts";

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "colloquy-frameworks-"))));
afterAll(() => rm(directory, { recursive: true, force: true }));

test("Vue and Svelte show a conversation with the lines of the README", { timeout: 300_000 }, async () => {
  const read = (name: string) => readFile(join(WORKSPACE, "client", name), "utf8");
  const readme = await read("README.md");
  const files = {
    "vue.ts": example(readme, "Vue", "ts"),
    "svelte.ts": example(readme, "Svelte", "ts"),
    "story.ts": await read("tests/frameworks/story.ts"),
  };
  const frameworks = ["vue@3", "svelte@5", "jsdom@26", "@types/jsdom@21"];
  const others = ["graphql-ws@6", "graphql", "ws", "@types/ws", "@types/node"];
  const project = await projectOf(join(directory, "project"), files, [...(await pack(directory, "client")), ...frameworks, ...others]);
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()), STRANGER: tokenOf(newUser("stranger")) };
  expect(await compileAndRun(project, "story.js", env)).toBe("Vue and Svelte show it\n");
});
