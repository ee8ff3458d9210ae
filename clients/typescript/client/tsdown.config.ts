import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/records.ts", "src/sse.ts"],
  tsconfig: "../tsconfig.json",
  platform: "neutral",
  target: "es2022",
  dts: { sourcemap: true },
  sourcemap: true,
  minify: false,
});
