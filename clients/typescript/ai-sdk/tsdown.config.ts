import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts"],
  tsconfig: "../tsconfig.json",
  platform: "neutral",
  external: ["@colloquy/client", "ai"],
  target: "es2022",
  dts: { sourcemap: true },
  sourcemap: true,
  minify: false,
});
