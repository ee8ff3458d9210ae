import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: {
      "@colloquy/client/records": new URL("client/src/records.ts", import.meta.url).pathname,
      "@colloquy/client/sse": new URL("client/src/sse.ts", import.meta.url).pathname,
      "@colloquy/client": new URL("client/src/index.ts", import.meta.url).pathname,
      "@colloquy/assistant-ui": new URL("assistant-ui/src/index.ts", import.meta.url).pathname,
      "@colloquy/ag-ui/copilotkit": new URL("ag-ui/src/copilotkit.ts", import.meta.url).pathname,
      "@colloquy/ag-ui": new URL("ag-ui/src/index.ts", import.meta.url).pathname,
      "@colloquy/langgraph": new URL("langgraph/src/index.ts", import.meta.url).pathname,
    },
  },
  test: {
    globalSetup: "tests/server.ts",
    include: ["*/tests/**/*.test.{ts,tsx}"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
  },
});
