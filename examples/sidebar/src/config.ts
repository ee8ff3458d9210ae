export interface Config {
  endpoint: string;
  token: string | null;
}

/** What the server writes into the page; under `npm run dev` it comes from the environment. */
export function configOf(page: Document): Config {
  const written = page.getElementById("config")?.textContent;
  return written ? JSON.parse(written) : { endpoint: "/graphql", token: import.meta.env.VITE_TOKEN ?? null };
}

/** A token provider: the page's own token, and later that of the page as the server writes it then. */
export function renewed(token: string): () => Promise<string> {
  let next: string | null = token;
  return async () => {
    const current = next ?? (await newest());
    next = null;
    return current ?? token;
  };
}

async function newest(): Promise<string | null> {
  const response = await fetch("./");
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return configOf(new DOMParser().parseFromString(await response.text(), "text/html")).token;
}
