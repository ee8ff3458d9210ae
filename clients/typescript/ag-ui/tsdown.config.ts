import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/copilotkit.ts"],
  tsconfig: "../tsconfig.json",
  platform: "neutral",
  external: ["@colloquy/client", "rxjs", /^@ag-ui/],
  target: "es2022",
  dts: { sourcemap: true },
  sourcemap: true,
  minify: false,
});
