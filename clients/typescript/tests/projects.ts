// Empty projects with packages as a user installs them.

import { execFile } from "node:child_process";
import { mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

export const WORKSPACE = new URL("../", import.meta.url).pathname;
const run = promisify(execFile);

/** Packs packages of the workspace into a directory; returns their archives. */
export async function pack(directory: string, ...names: string[]): Promise<string[]> {
  for (const name of names) {
    const packing = () => run("npm", ["pack", "--silent", "--pack-destination", directory], { cwd: join(WORKSPACE, name) });
    await alone(`colloquy-pack-${process.ppid}-${name}`, packing);
  }
  return (await readdir(directory)).filter((name) => name.endsWith(".tgz")).map((name) => join(directory, name));
}

/** Runs `act` while no other test file runs one of this name: two builds of a package would remove each other's files. */
async function alone(name: string, act: () => Promise<unknown>): Promise<void> {
  const lock = join(tmpdir(), name);
  while (await mkdir(lock).then(() => false, () => true)) await new Promise((resolve) => setTimeout(resolve, 100));
  await act().finally(() => rmdir(lock));
}

/** Makes a project with these files and packages; a name without a version gets that of the workspace. */
export async function projectOf(directory: string, files: Record<string, string>, packages: string[]): Promise<string> {
  await mkdir(directory);
  await writeFile(join(directory, "package.json"), JSON.stringify({ type: "module", private: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  const { devDependencies } = JSON.parse(await readFile(join(WORKSPACE, "package.json"), "utf8"));
  const versioned = packages.map((name) => (devDependencies[name] ? `${name}@${devDependencies[name]}` : name));
  await install(directory, versioned);
  return directory;
}

/** Installs packages into a project, or other versions of them. */
export async function install(directory: string, packages: string[]): Promise<void> {
  const flags = ["--silent", "--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", ["install", ...flags, ...packages], { cwd: directory });
}

/** Compiles the project strictly, runs a file of it in Node, and returns what it prints. */
export async function compileAndRun(directory: string, file: string, env: Record<string, string>): Promise<string> {
  const flags = ["--strict", "--target", "es2023", "--module", "nodenext", "--jsx", "react-jsx", "--outDir", "out"];
  const lib = ["--lib", "es2023,dom,dom.iterable,dom.asynciterable"];
  const sources = (await readdir(directory)).filter((name) => /\.tsx?$/.test(name));
  const tsc = join(WORKSPACE, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, ...flags, ...lib, ...sources], { cwd: directory }).catch((error: { stdout: string }) => {
    throw new Error(error.stdout);
  });
  const running = { cwd: directory, env: { ...process.env, ...env }, timeout: 60_000 };
  return (await run(process.execPath, [join("out", file)], running)).stdout;
}

/** The first block of a README in this language after a heading. */
export function example(readme: string, heading: string, language: string): string {
  const [block] = readme.slice(readme.indexOf(`## ${heading}`)).matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"));
  return block![1]!;
}

/** The size of a built entry in bytes with gzip, as an application ships it, without other packages. */
export async function bundledBytes(entry: string): Promise<number> {
  const { rolldown } = createRequire(createRequire(import.meta.url).resolve("tsdown"))("rolldown") as {
    rolldown(options: object): Promise<{ generate(options: object): Promise<{ output: { code: string }[] }> }>;
  };
  const bundle = await rolldown({ input: entry, external: /^[^./]/ });
  const { output } = await bundle.generate({ minify: true });
  return gzipSync(output[0]!.code, { level: 9 }).length;
}
