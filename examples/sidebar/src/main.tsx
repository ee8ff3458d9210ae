import { createRoot } from "react-dom/client";
import { App } from "./parts/App.tsx";
import "./style.css";

interface Config {
  endpoint: string;
  token: string | null;
}

// The server writes this into the page; under `npm run dev` it comes from the environment.
const written = document.getElementById("config")?.textContent;
const config: Config = written
  ? JSON.parse(written)
  : { endpoint: "/graphql", token: import.meta.env.VITE_TOKEN ?? null };

createRoot(document.getElementById("sidebar")!).render(<App {...config} />);
