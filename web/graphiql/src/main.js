import "./workers.js";
import { GraphiQL } from "graphiql";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { ask } from "./ask.js";
import { newestFirst } from "./live.js";
import { follow, forgetOther } from "./tour.js";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./page.css";

const { headers, tabs, edition, sidebar, ...endpoints } = JSON.parse(document.getElementById("config").textContent);
let open = [];

async function fetcher(params, options) {
  // The schema is asked for before the headers editor exists.
  if (params.operationName === "IntrospectionQuery") return ask(params, { headers, ...options }, endpoints);
  const result = await ask(params, options, endpoints);
  if (Symbol.asyncIterator in result) return newestFirst(result);
  const created = result.data?.createSession;
  if (created?.session) follow(open, created);
  return result;
}

forgetOther(edition, tabs);
createRoot(document.getElementById("graphiql")).render(
  createElement(
    GraphiQL,
    {
      fetcher,
      defaultTabs: tabs,
      defaultHeaders: JSON.stringify(headers, null, 2),
      defaultEditorToolsVisibility: "variables",
      shouldPersistHeaders: false,
      showPersistHeadersSettings: false,
      onTabChange: (state) => {
        open = state.tabs;
      },
    },
    createElement(
      GraphiQL.Logo,
      null,
      sidebar && createElement("a", { href: sidebar }, "Sidebar"),
      createElement("span", { className: "colloquy-logo" }, "Colloquy"),
    ),
  ),
);
