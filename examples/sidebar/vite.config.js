import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const server = process.env.COLLOQUY ?? "http://127.0.0.1:8000";

// Names without hashes keep the history small: the server puts the digest of the whole build into the address.
const names = { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" };

// The digest of the sources: a test compares it with them, so that neither changes without the other.
const sourceDigest = {
  name: "source-digest",
  generateBundle() {
    const written = readdirSync(here("src"), { recursive: true }).filter((name) => /\.\w+$/.test(name));
    const paths = ["package-lock.json", "vite.config.js", ...written.map((name) => `src/${name}`)];
    const digest = createHash("sha256");
    for (const path of paths.sort()) digest.update(`${path}\0`).update(readFileSync(here(path)));
    this.emitFile({ type: "asset", fileName: "source.sha256", source: `${digest.digest("hex")}\n` });
  },
};

export default defineConfig(({ command }) => ({
  base: command === "build" ? "./" : "/",
  // `npm run dev`: this page from Vite, the API from a running Colloquy, as if both were one origin.
  server: { proxy: { "/graphql": { target: server, changeOrigin: true, ws: true, rewriteWsOrigin: true } } },
  plugins: [sourceDigest],
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
