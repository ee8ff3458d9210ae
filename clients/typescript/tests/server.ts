// One real server for the whole run: `colloquy run` with an embedded database in a temporary directory.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    url: string;
    secret: string;
  }
}

const ROOT = new URL("../../../", import.meta.url).pathname;
const SECRET = "a secret for the tests of the TypeScript clients";
const START_MS = 60_000;

export interface Server {
  url: string;
  process: ChildProcess;
  /** Ends it, as Ctrl-C does. */
  stop(): Promise<void>;
}

/** A server with its data in a directory, which another one may continue. */
export async function startServer(directory: string, port?: number): Promise<Server> {
  const own = port ?? (await freePort());
  const url = `http://127.0.0.1:${own}`;
  const server = spawn(join(ROOT, ".venv/bin/colloquy"), ["run"], {
    cwd: directory, // no .env of a developer
    env: { ...process.env, DATA_DIR: directory, PORT: String(own), JWT_SECRET: SECRET, LOG_LEVEL: "warning" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    await ready(`${url}/readyz`, server);
  } catch (error) {
    await ended(server);
    throw error;
  }
  return { url: `${url}/graphql`, process: server, stop: () => ended(server) };
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "colloquy-typescript-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  const server = await startServer(directory).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  provide("url", server.url);
  provide("secret", SECRET);
  return async () => {
    await server.stop();
    await remove();
  };
}

async function ready(url: string, server: ChildProcess): Promise<void> {
  const until = Date.now() + START_MS;
  while (Date.now() < until && server.exitCode === null) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("The server does not start.");
}

function ended(server: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) return resolve();
    server.once("exit", () => resolve());
    server.kill("SIGTERM");
  });
}

/** A free port below the ephemeral range: no outgoing connection takes it while a killed server is away. */
export function freePort(): Promise<number> {
  const port = 20_000 + Math.floor(Math.random() * 12_000);
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(freePort()));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
  });
}
