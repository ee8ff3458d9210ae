import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const jsonc = here("src/jsonc.js");

// Names without hashes keep the history small: the server puts the digest of the whole build into the address.
const names = { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" };

const onlyWhatWeUse = {
  name: "only-what-we-use",
  enforce: "pre",
  resolveId(source, importer) {
    if (source === "prettier/parser-babel" || source === "prettier/plugins/estree") return jsonc;
    const editor = source === "monaco-graphql/esm/monaco-editor.js" || source === "./monaco-editor";
    if (editor && /@graphiql|monaco-graphql/.test(importer ?? "")) return here("src/monaco.js");
  },
};

export default defineConfig({
  base: "./",
  plugins: [onlyWhatWeUse],
  worker: { rolldownOptions: { output: names } },
  build: {
    outDir: here("../../app/web/graphiql"),
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    cssCodeSplit: false,
    license: { fileName: "licenses.md" },
    modulePreload: false,
    rolldownOptions: {
      input: { graphiql: here("src/main.js") },
      output: names,
      checks: { moduleLevelDirective: false },
      onwarn(warning, warn) {
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
    },
  },
});
