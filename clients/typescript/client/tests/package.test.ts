// The package as a user gets it: packed, installed into an empty project, type-checked, run, and measured.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, compileAndRun, example, pack, projectOf } from "../../tests/projects.ts";
import { newUser, tokenOf } from "../../tests/users.ts";

const PACKAGE = join(WORKSPACE, "client");
const BUDGET = 12 * 1024; // bytes of the core with gzip, as an application ships it, beside its peers

let directory: string;
let archives: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-client-"));
  archives = await pack(directory, "client");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("installs into an empty project, type-checks strictly and prints what its README promises", { timeout: 180_000 }, async () => {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const files = { "example.ts": example(readme, "Quick start", "ts") };
  const packages = [...archives, "graphql-ws@6", "graphql", "ws", "@types/ws", "@types/node"];
  const project = await projectOf(join(directory, "project"), files, packages);
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()) };
  expect(await compileAndRun(project, "example.js", env)).toBe(example(readme, "Quick start", "text"));
});

test("its core stays within its size, and has no React", async () => {
  const { rolldown } = createRequire(createRequire(import.meta.url).resolve("tsdown"))("rolldown") as {
    rolldown(options: object): Promise<{ generate(options: object): Promise<{ output: { code: string }[] }> }>;
  };
  const bundle = await rolldown({ input: join(PACKAGE, "dist/index.js"), external: /^graphql/ });
  const { output } = await bundle.generate({ minify: true });
  const [{ code }] = output as [{ code: string }];
  expect(code).not.toMatch(/["']react["']/);
  expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(BUDGET);
});
