// The package as a user gets it: packed, installed into an empty project, type-checked, run, and measured.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, bundledBytes, compileAndRun, example, pack, projectOf } from "../../tests/projects.ts";
import { newUser, tokenOf } from "../../tests/users.ts";

const PACKAGE = join(WORKSPACE, "ag-ui");
const BUDGET = 5 * 1024; // bytes with gzip, as an application ships it, beside its peers
const RUNNER_BUDGET = 3 * 1024; // more, with the runner

let directory: string;
let archives: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-ag-ui-"));
  archives = await pack(directory, "client", "ag-ui");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("installs into an empty project, type-checks strictly and prints what its README promises", { timeout: 180_000 }, async () => {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const files = { "example.ts": example(readme, "Quick start", "ts") };
  const packages = [...archives, "@ag-ui/core@1.0.0", "graphql-ws@6", "graphql", "ws", "@types/ws", "@types/node"];
  const project = await projectOf(join(directory, "project"), files, packages);
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()) };
  expect(await compileAndRun(project, "example.js", env)).toBe(example(readme, "Quick start", "text"));
});

test("stays within its size", async () => {
  const core = await bundledBytes(join(PACKAGE, "dist/index.js"));
  expect(core).toBeLessThanOrEqual(BUDGET);
  expect((await bundledBytes(join(PACKAGE, "dist/copilotkit.js"))) - core).toBeLessThanOrEqual(RUNNER_BUDGET);
});
