// `build.mjs ENTRY OUTPUT`: one file of an example, its `graphql` tags replaced by what relay-compiler has made of them.
import { transformAsync } from "@babel/core";
import { build } from "esbuild";
import { readFile } from "node:fs/promises";

const [entry, outfile] = process.argv.slice(2);
const relay = {
  name: "relay",
  setup({ onLoad }) {
    onLoad({ filter: /relay\.jsx$/ }, async ({ path }) => {
      const options = { filename: path, plugins: ["relay"], parserOpts: { plugins: ["jsx"] }, babelrc: false };
      return { contents: (await transformAsync(await readFile(path, "utf8"), options)).code, loader: "jsx" };
    });
  },
};
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  format: outfile.endsWith(".cjs") ? "cjs" : "esm",
  platform: "node",
  jsx: "automatic",
  external: ["jsdom"],
  plugins: [relay],
});
