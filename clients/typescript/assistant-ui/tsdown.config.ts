import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts"],
  tsconfig: "../tsconfig.json",
  platform: "neutral",
  external: ["@colloquy/client", "@assistant-ui/react", "assistant-stream", "react"],
  target: "es2022",
  dts: { sourcemap: true },
  sourcemap: true,
  minify: false,
});
