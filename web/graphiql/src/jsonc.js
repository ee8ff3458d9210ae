// Stands in for Prettier's JavaScript parser and printer (0.5 MB), which GraphiQL only loads to indent JSON.
import { applyEdits, format } from "jsonc-parser";

export const parsers = {
  jsonc: {
    astFormat: "jsonc",
    parse: (text) => ({ text, end: text.length }),
    locStart: () => 0,
    locEnd: (node) => node.end,
  },
};

export const printers = {
  jsonc: {
    print({ node }) {
      const edits = format(node.text, undefined, { insertSpaces: true, tabSize: 2 });
      return applyEdits(node.text, edits);
    },
  },
};
