import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const server = process.env.COLLOQUY ?? "http://127.0.0.1:8000";

// The packages of this checkout. A page of your own installs them, and needs neither `alias` nor `dedupe`.
const packages = {
  "@colloquy/client": "../../clients/typescript/client/src",
  "@colloquy/react": "../../clients/typescript/react/src",
};
const resolve = {
  alias: Object.fromEntries(Object.entries(packages).map(([name, source]) => [name, here(`${source}/index.ts`)])),
  dedupe: ["react", "react-dom", "graphql-ws"],
};

// Names without hashes keep the history small: the server puts the digest of the whole build into the address.
const names = { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" };

// The digest of the sources: a test compares it with them, so that neither changes without the other.
const sourceDigest = {
  name: "source-digest",
  generateBundle() {
    const written = ["src", ...Object.values(packages)].flatMap((directory) =>
      readdirSync(here(directory), { recursive: true }).filter((name) => /\.\w+$/.test(name)).map((name) => `${directory}/${name}`),
    );
    const digest = createHash("sha256");
    for (const path of ["package-lock.json", "vite.config.js", ...written].sort()) {
      digest.update(`${path}\0`).update(readFileSync(here(path)));
    }
    this.emitFile({ type: "asset", fileName: "source.sha256", source: `${digest.digest("hex")}\n` });
  },
};

export default defineConfig(({ command }) => ({
  base: command === "build" ? "./" : "/",
  // `npm run dev`: this page from Vite, the API from a running Colloquy, as if both were one origin.
  server: { proxy: { "/graphql": { target: server, changeOrigin: true, ws: true, rewriteWsOrigin: true } } },
  plugins: [sourceDigest],
  resolve,
  build: {
    outDir: here("../../app/web/sidebar"),
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    license: { fileName: "licenses.md" },
    modulePreload: false,
    rolldownOptions: { input: { sidebar: here("src/main.tsx") }, output: names },
  },
}));
