// The package as a user gets it, in an empty project with each AI SDK that it supports.

import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { WORKSPACE, compileAndRun, example, pack, projectOf } from "../../tests/projects.ts";
import { newUser, tokenOf } from "../../tests/users.ts";

const BUDGET = 7 * 1024; // bytes with gzip, as an application ships it, beside its peers
const PACKAGE = join(WORKSPACE, "ai-sdk");
const EXAMPLE = join(WORKSPACE, "../../examples/ai-sdk");
let directory: string;
let archives: string[];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-ai-sdk-"));
  archives = await pack(directory, "client", "ai-sdk");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** An empty project with one AI SDK, in which the example of the README has run. */
async function projectWith(major: number, ...more: string[]): Promise<string> {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const packages = [...archives, `ai@${major}`, "zod@4", "graphql-ws@6", "graphql", "ws", "@types/ws", "@types/node", "@types/json-schema"];
  const files = { "example.ts": example(readme, "Quick start", "ts") };
  const project = await projectOf(join(directory, `ai-${major}`), files, [...packages, ...more]);
  const env = { COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()) };
  expect(await compileAndRun(project, "example.js", env)).toBe(example(readme, "Quick start", "text"));
  return project;
}

test.each([5, 6])("the example of the README prints what it promises with AI SDK %i", { timeout: 180_000 }, async (major) => {
  await projectWith(major);
});

test("so it does with AI SDK 7, and the example app is strictly typed", { timeout: 180_000 }, async () => {
  const react = ["react@19", "react-dom@19", "@types/react@19", "@types/react-dom@19", "@ai-sdk/react@4", "vite@8"];
  const project = await projectWith(7, ...react);
  await cp(EXAMPLE, join(project, "app"), { recursive: true });
  const tsc = join(WORKSPACE, "node_modules/typescript/bin/tsc");
  const checked = await promisify(execFile)(process.execPath, [tsc, "-p", join(project, "app")]).catch((error: { stdout: string }) => error);
  expect(checked.stdout).toBe("");
});

test("it stays within its size, and has no React", async () => {
  const { rolldown } = createRequire(createRequire(import.meta.url).resolve("tsdown"))("rolldown") as {
    rolldown(options: object): Promise<{ generate(options: object): Promise<{ output: { code: string }[] }> }>;
  };
  const bundle = await rolldown({ input: join(PACKAGE, "dist/index.js"), external: /^(ai|@colloquy\/client)$/ });
  const { output } = await bundle.generate({ minify: true });
  const [{ code }] = output as [{ code: string }];
  expect(code).not.toMatch(/["']react["']/);
  expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(BUDGET);
});
