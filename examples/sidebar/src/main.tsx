import { createRoot } from "react-dom/client";
import { App } from "./parts/App.tsx";
import { configOf } from "./config.ts";
import "./style.css";

createRoot(document.getElementById("sidebar")!).render(<App {...configOf(document)} />);
