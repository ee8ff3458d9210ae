// Subscriptions in parts by Apollo Client and by its network for Relay, resumed after the last event's cursor.
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { createFetchMultipartSubscription } from "@apollo/client/utilities/subscriptions/relay";
import { Environment, Network, RecordSource, Store } from "relay-runtime";

const { URL: uri, TOKEN: token, WAY: way, SESSION: id, CURSOR: cursor } = process.env;
const FOLLOW = `
  subscription Follow($id: ID!, $after: String) {
    sessionEvents(sessionId: $id, after: $after) {
      __typename
      ... on MessageAdded { cursor message { sequence } }
      ... on CaughtUp { cursor }
    }
  }
`;
const headers = { authorization: `Bearer ${token}` };
const WAYS = {
  apollo() {
    const client = new ApolloClient({ link: new HttpLink({ uri, headers }), cache: new InMemoryCache() });
    return (variables) => client.subscribe({ query: gql(FOLLOW), variables, fetchPolicy: "no-cache" });
  },
  relay() {
    const network = Network.create(() => undefined, createFetchMultipartSubscription(uri, { headers }));
    const environment = new Environment({ network, store: new Store(new RecordSource()) });
    const operation = { name: "Follow", text: FOLLOW, operationKind: "subscription", metadata: {} };
    return (variables) => environment.getNetwork().execute(operation, variables, {});
  },
};
const subscribe = WAYS[way]();

function follow(after) {
  let newest = after;
  let over = false;
  const again = () => {
    if (over) return;
    over = true;
    setTimeout(follow, 20, newest);
  };
  const next = ({ data, error }) => {
    if (error || !data) return again();
    newest = data.sessionEvents.cursor;
    console.log(JSON.stringify(data.sessionEvents));
  };
  subscribe({ id, after }).subscribe({ next, error: again, complete: again });
}
follow(cursor);
process.stdin.on("close", () => process.exit(0)).resume();
