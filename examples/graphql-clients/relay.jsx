// Relay 21: pages of a list, and a conversation that stays current without a socket.
import { createFetchMultipartSubscription } from "@apollo/client/utilities/subscriptions/relay";
import { Suspense, useMemo, useRef, useState } from "react";
import {
  RelayEnvironmentProvider,
  graphql,
  useLazyLoadQuery,
  useMutation,
  usePaginationFragment,
  useSubscription,
} from "react-relay";
import { Environment, Network, RecordSource, Store } from "relay-runtime";

export function environmentOf(url, token) {
  const headers = { authorization: `Bearer ${token}` };
  async function fetchQuery({ text: query }, variables) {
    const body = JSON.stringify({ query, variables });
    const sent = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body };
    return (await fetch(url, sent)).json();
  }
  const network = Network.create(fetchQuery, createFetchMultipartSubscription(url, { headers }));
  return new Environment({ network, store: new Store(new RecordSource()) });
}

export function App({ environment }) {
  const [id, choose] = useState(null);
  return (
    <RelayEnvironmentProvider environment={environment}>
      <Suspense fallback="…">
        <Sessions choose={choose} />
        {id && <Conversation id={id} />}
      </Suspense>
    </RelayEnvironmentProvider>
  );
}

function Sessions({ choose }) {
  const query = useLazyLoadQuery(graphql`query relaySessionsQuery { ...relay_sessions }`, {});
  const { data, hasNext, loadNext } = usePaginationFragment(
    graphql`
      fragment relay_sessions on Query
      @refetchable(queryName: "relaySessionsPageQuery")
      @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" }) {
        sessions(first: $first, after: $after) @connection(key: "relay_sessions") {
          edges { node { id title unreadCount } }
        }
      }
    `,
    query,
  );
  return (
    <nav>
      {data.sessions.edges.map(({ node }) => <a key={node.id} onClick={() => choose(node.id)}>{node.title}</a>)}
      {hasNext && <button onClick={() => loadNext(20)}>More</button>}
    </nav>
  );
}

function Conversation({ id }) {
  const { session } = useLazyLoadQuery(
    graphql`query relayConversationQuery($id: ID!) { session(id: $id) { id eventCursor ...relay_messages } }`,
    { id },
  );
  const { data, hasPrevious, loadPrevious } = usePaginationFragment(
    graphql`
      fragment relay_messages on Session
      @refetchable(queryName: "relayMessagesPageQuery")
      @argumentDefinitions(last: { type: "Int", defaultValue: 50 }, before: { type: "String" }) {
        messages(last: $last, before: $before) @connection(key: "relay_messages") {
          __id
          edges { node { id role text } }
        }
      }
    `,
    session,
  );
  useEvents(id, session.eventCursor, data.messages.__id);
  const [append] = useMutation(graphql`
    mutation relayAppendMutation($id: ID!, $text: String!) {
      appendMessage(input: { sessionId: $id, message: { role: USER, text: $text } }) {
        message { id }
        errors { code message }
      }
    }
  `);
  return (
    <main>
      {hasPrevious && <button onClick={() => loadPrevious(50)}>Earlier</button>}
      {data.messages.edges.map(({ node }) => <p key={node.id}>{node.text}</p>)}
      <button onClick={() => append({ variables: { id, text: "When does the train leave?" } })}>Ask</button>
    </main>
  );
}

/** Follows the events from a cursor on, and after a broken connection from the last event on. */
function useEvents(id, eventCursor, connection) {
  const newest = useRef(eventCursor);
  const [attempt, setAttempt] = useState(0);
  const config = useMemo(() => {
    const again = () => setTimeout(() => setAttempt(attempt + 1), 500);
    return {
      // Objects with an id change in the store by themselves; MessageAdded is put into its list.
      subscription: graphql`
        subscription relayFollowSubscription($id: ID!, $after: String, $connections: [ID!]!) {
          sessionEvents(sessionId: $id, after: $after) {
            ... on MessageAdded {
              cursor
              message @appendNode(connections: $connections, edgeTypeName: "MessageEdge") { id role text }
            }
            ... on MessageChanged { cursor message { id text } }
            ... on SessionChanged { cursor session { id title unreadCount } }
            ... on CaughtUp { cursor }
          }
        }
      `,
      variables: { id, after: newest.current, connections: [connection] },
      onNext: ({ sessionEvents }) => void (newest.current = sessionEvents.cursor ?? newest.current),
      onError: again,
      onCompleted: again,
    };
  }, [id, connection, attempt]);
  useSubscription(config);
}
