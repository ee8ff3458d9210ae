// The package as a user gets it: packed, installed into an empty project, type-checked and run.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, compileAndRun, example, pack, projectOf } from "../../tests/projects.ts";
import { newUser, tokenOf } from "../../tests/users.ts";

let directory: string;
let archives: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-langgraph-"));
  archives = await pack(directory, "client", "langgraph");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("installs into an empty project, type-checks strictly and prints what its README promises", { timeout: 180_000 }, async () => {
  const readme = await readFile(join(WORKSPACE, "langgraph/README.md"), "utf8");
  const files = { "example.ts": example(readme, "Quick start", "ts") };
  const framework = ["@langchain/langgraph@1", "@langchain/core@1", "@langchain/langgraph-checkpoint@1"];
  const packages = [...archives, ...framework, "graphql-ws@6", "graphql", "@types/node"];
  const project = await projectOf(join(directory, "project"), files, packages);
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()) };
  expect(await compileAndRun(project, "example.js", env)).toBe(example(readme, "Quick start", "text"));
});
