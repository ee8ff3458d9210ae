// The package as a user gets it: packed, installed into an empty project, type-checked, run, and measured.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { newUser, tokenOf } from "../../tests/users.ts";

const WORKSPACE = new URL("../../", import.meta.url).pathname;
const PACKAGE = join(WORKSPACE, "client");
const BUDGET = 12 * 1024; // bytes of the core with gzip, as an application ships it, beside its peers
const run = promisify(execFile);

let directory: string;
let readme: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "colloquy-package-"));
  readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  await run("npm", ["pack", "--silent", "--pack-destination", directory], { cwd: PACKAGE });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The first block of the README in this language after a heading. */
function example(heading: string, language: string): string {
  const [block] = readme.slice(readme.indexOf(`## ${heading}`)).matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"));
  return block![1]!;
}

test("installs into an empty project, type-checks strictly and prints what its README promises", async () => {
  const project = join(directory, "project");
  await mkdir(project);
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module", private: true }));
  await writeFile(join(project, "example.ts"), example("Quick start", "ts"));
  const [archive] = (await readdir(directory)).filter((name) => name.endsWith(".tgz"));
  const versions = JSON.parse(await readFile(join(WORKSPACE, "package.json"), "utf8")).devDependencies;
  const extra = ["graphql", "ws", "@types/ws", "@types/node"].map((name) => `${name}@${versions[name]}`);
  await run(
    "npm",
    ["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", join("..", archive!), "graphql-ws@6", ...extra],
    { cwd: project },
  );

  const tsc = join(WORKSPACE, "node_modules/typescript/bin/tsc");
  const flags = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "false", "--outDir", "out"];
  await run(process.execPath, [tsc, ...flags, "--lib", "es2023,dom,dom.iterable,dom.asynciterable", "example.ts"], {
    cwd: project,
  }).catch((error: { stdout: string }) => {
    throw new Error(error.stdout);
  });
  const env = { ...process.env, COLLOQUY_URL: inject("url"), COLLOQUY_TOKEN: tokenOf(newUser()) };
  const { stdout } = await run(process.execPath, ["out/example.js"], { cwd: project, env, timeout: 30_000 });
  expect(stdout).toBe(example("Quick start", "text"));
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
