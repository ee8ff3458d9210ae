import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { Kind, parse } from "graphql";
import { createClient } from "graphql-ws";

/** Sends what the editors hold: subscriptions over a socket of their own, everything else by POST. */
export function ask(params, options, { endpoint, subscriptionEndpoint }) {
  const address = new URL(subscriptionEndpoint, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const wsClient = createClient({
    url: address.href,
    connectionParams: options.headers,
    retryAttempts: 0, // a person should see why a socket was closed
  });
  const send = createGraphiQLFetcher({ url: endpoint, wsClient, enableIncrementalDelivery: false });
  return send(...settled(params, options));
}

// For a tenth of a second after a change of tabs GraphiQL still names the operation of the tab before.
function settled(params, options) {
  let documentAST;
  try {
    documentAST = parse(params.query);
  } catch {
    return [params, options]; // the server says it better
  }
  const operations = documentAST.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const names = operations.map(({ name }) => name?.value);
  const operationName = names.includes(params.operationName) ? params.operationName : names[0];
  return [{ ...params, operationName }, { ...options, documentAST }];
}
