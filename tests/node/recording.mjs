/** `fetch` that keeps, in `requests`, how each request named its document: its method, "query", "hash" or "id". */
export const requests = [];

export async function recordingFetch(url, options = {}) {
  const method = options.method ?? "GET";
  const sent = method === "GET" ? Object.fromEntries(new URL(url).searchParams) : JSON.parse(options.body);
  const extensions = typeof sent.extensions === "string" ? JSON.parse(sent.extensions) : sent.extensions;
  const names = [sent.query && "query", extensions?.persistedQuery && "hash", sent.documentId && "id"];
  const response = await fetch(url, options);
  requests.push([method, ...names.filter(Boolean), response.status].join(" "));
  return response;
}
