// urql with its normalised cache: pages of a list, and a conversation that stays current over one WebSocket.
import { Client, fetchExchange, gql, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const { COLLOQUY_URL: url, COLLOQUY_TOKEN: token } = process.env;

const SESSIONS = gql`
  query Sessions($after: String) {
    sessions(first: 2, after: $after) {
      edges { cursor node { id title unreadCount } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
const CONVERSATION = gql`
  query Conversation($id: ID!, $before: String) {
    session(id: $id) {
      id
      title
      eventCursor
      messages(last: 50, before: $before) {
        edges { cursor node { id role text } }
        pageInfo { hasPreviousPage startCursor }
      }
    }
  }
`;
// Objects with an id change in the cache by themselves; MessageAdded is put into its list below.
const FOLLOW = gql`
  subscription Follow($id: ID!, $after: String) {
    sessionEvents(sessionId: $id, after: $after) {
      ... on MessageAdded { cursor message { id role text } }
      ... on MessageChanged { cursor message { id text } }
      ... on SessionChanged { cursor session { id title unreadCount } }
      ... on CaughtUp { cursor }
    }
  }
`;
const CREATE = gql`
  mutation Create($title: String!) {
    createSession(input: { title: $title }) { session { id } errors { code message } }
  }
`;
const APPEND = gql`
  mutation Append($id: ID!, $text: String!) {
    appendMessage(input: { sessionId: $id, message: { role: USER, text: $text } }) {
      message { id }
      errors { code message }
    }
  }
`;

/** Puts what is new at the end of the conversation in the cache. */
function show({ sessionEvents: event }, { sessionId: id }, cache) {
  if (event.__typename !== "MessageAdded") return;
  cache.updateQuery({ query: CONVERSATION, variables: { id } }, (data) => {
    const edges = data?.session?.messages.edges;
    if (!edges || edges.some(({ node }) => node.id === event.message.id)) return data;
    edges.push({ __typename: "MessageEdge", cursor: event.cursor, node: event.message });
    return data;
  });
}

// In a browser without `webSocketImpl`.
const socket = createClient({
  url: url.replace("http", "ws"),
  connectionParams: { Authorization: `Bearer ${token}` },
  webSocketImpl: WebSocket,
  retryAttempts: Infinity,
  shouldRetry: () => true,
});
const client = new Client({
  url,
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  preferGetMethod: false,
  exchanges: [
    cacheExchange({
      keys: { PageInfo: () => null, MessageEdge: () => null, SessionEdge: () => null },
      resolvers: { Query: { sessions: relayPagination() }, Session: { messages: relayPagination() } },
      updates: { Subscription: { sessionEvents: show } },
    }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe(sink) {
          const next = (result) => {
            variables.after = result.data?.sessionEvents.cursor ?? variables.after; // graphql-ws reads it when it connects again
            sink.next(result);
          };
          return { unsubscribe: socket.subscribe({ query, variables }, { ...sink, next }) };
        },
      }),
    }),
  ],
});

const titles = ({ data }) => data.sessions.edges.map(({ node }) => node.title).join(", ");
for (const title of ["Lisbon", "Porto", "Faro"]) await client.mutation(CREATE, { title });
const first = await client.query(SESSIONS, {});
console.log(titles(first));
console.log(titles(await client.query(SESSIONS, { after: first.data.sessions.pageInfo.endCursor })));

const { id } = first.data.sessions.edges[0].node;
const { data } = await client.query(CONVERSATION, { id });
const followed = client.subscription(FOLLOW, { id, after: data.session.eventCursor }).subscribe(() => {});
const watched = client.query(CONVERSATION, { id }).subscribe(({ data }) => {
  const { edges } = data.session.messages;
  if (!edges.length) return;
  console.log(edges.map(({ node }) => node.text).join("\n"));
  watched.unsubscribe();
  followed.unsubscribe();
  socket.dispose();
});
await client.mutation(APPEND, { id, text: "When does the train leave?" });
