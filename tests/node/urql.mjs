// urql as it comes, with its persisted exchange, and with a hash that graphql-codegen has put into the document.
import { Client, fetchExchange, gql } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { recordingFetch, requests } from "./recording.mjs";

const { URL: url, TOKEN: token, WAY: way, HASH: hash } = process.env;
const document = gql("query Viewer { viewer { subject } }");
if (hash) document.__meta__ = { hash };
const enforced = { enforcePersistedQueries: true, generateHash: async (_, { __meta__ }) => __meta__.hash };
const EXCHANGES = {
  plain: () => [],
  hash: () => [persistedExchange()],
  manifest: () => [persistedExchange(enforced)],
};
const client = new Client({
  url,
  fetch: recordingFetch,
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  exchanges: [...EXCHANGES[way](), fetchExchange],
});
const results = [];
for (let time = 0; time < 2; time++) {
  const { data, error } = await client.query(document, {}).toPromise();
  results.push(error ? String(error) : data.viewer.subject);
}
console.log(JSON.stringify({ results, requests }));
