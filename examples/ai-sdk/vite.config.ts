import { Readable } from "node:stream";
import { type Plugin, defineConfig } from "vite";
import { POST } from "./answer.ts";

// The address /api/chat of the app, in the process of Vite. Next.js takes the function POST as a route.
const api: Plugin = {
  name: "api",
  configureServer({ middlewares }) {
    middlewares.use("/api/chat", async (incoming, outgoing) => {
      const body = Readable.toWeb(incoming) as ReadableStream;
      const response = await POST(new Request("http://app/api/chat", { method: "POST", body, duplex: "half" } as RequestInit));
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      Readable.fromWeb(response.body as never).pipe(outgoing);
    });
  },
};

const target = process.env.COLLOQUY_URL;

export default defineConfig({
  envPrefix: "COLLOQUY_TOKEN", // the page gets the token of this one user
  server: { proxy: { "/graphql": { target, changeOrigin: true, ws: true, rewriteWsOrigin: true } } },
  plugins: [api],
  build: { target: "es2022" },
});
