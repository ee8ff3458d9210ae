// Apollo Client as it comes, with automatic persisted queries by POST or GET, and with ids from its own manifest.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import persisted from "@apollo/persisted-query-lists";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { recordingFetch, requests } from "./recording.mjs";

const { URL: uri, TOKEN: token, WAY: way, MANIFEST: manifest, DOCUMENT: document } = process.env;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const loadManifest = async () => JSON.parse(await readFile(manifest, "utf8"));
const LINKS = {
  plain: () => [],
  hash: () => [new PersistedQueryLink({ sha256 })],
  get: () => [new PersistedQueryLink({ sha256, useGETForHashedQueries: true })],
  manifest: () => [new PersistedQueryLink(persisted.generatePersistedQueryIdsFromManifest({ loadManifest }))],
};
const http = new HttpLink({ uri, fetch: recordingFetch, headers: { authorization: `Bearer ${token}` } });
const client = new ApolloClient({ cache: new InMemoryCache(), link: ApolloLink.from([...LINKS[way](), http]) });
const results = [];
for (let time = 0; time < 2; time++) {
  const asked = client.query({ query: gql(document), fetchPolicy: "no-cache" });
  results.push(await asked.then(({ data }) => data.viewer.subject, (error) => String(error)));
}
console.log(JSON.stringify({ results, requests }));
