// Apollo Client 4: pages of a list, and a conversation that stays current without a socket.
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";

const { COLLOQUY_URL: uri, COLLOQUY_TOKEN: token } = process.env;

const client = new ApolloClient({
  link: new HttpLink({ uri, headers: { authorization: `Bearer ${token}` } }),
  cache: new InMemoryCache({
    typePolicies: {
      Query: { fields: { sessions: relayStylePagination(["filter", "orderBy"]) } },
      Session: { fields: { messages: relayStylePagination(["filter"]) } },
    },
  }),
});

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
function show(id, event) {
  if (event.__typename !== "MessageAdded") return;
  client.cache.updateQuery({ query: CONVERSATION, variables: { id } }, ({ session }) => {
    const { messages } = session;
    if (messages.edges.some(({ node }) => node.id === event.message.id)) return undefined;
    const edge = { __typename: "MessageEdge", cursor: "", node: event.message };
    return { session: { ...session, messages: { ...messages, edges: [...messages.edges, edge] } } };
  });
}

/** Follows the events from a cursor on, and after a broken connection from the last event on. */
function follow(id, after) {
  let stopped = false;
  let subscription;
  const subscribe = () => {
    if (stopped) return;
    subscription = client.subscribe({ query: FOLLOW, variables: { id, after } }).subscribe(({ data, error }) => {
      if (error) return void setTimeout(subscribe, 500);
      after = data.sessionEvents.cursor ?? after; // events that the document leaves out have none
      show(id, data.sessionEvents);
    });
  };
  subscribe();
  return () => {
    stopped = true;
    subscription.unsubscribe();
  };
}

for (const title of ["Lisbon", "Porto", "Faro"]) await client.mutate({ mutation: CREATE, variables: { title } });
const titles = (data) => data.sessions.edges.map(({ node }) => node.title).join(", ");
const first = await client.query({ query: SESSIONS });
console.log(titles(first.data));
const list = client.watchQuery({ query: SESSIONS });
await list.fetchMore({ variables: { after: first.data.sessions.pageInfo.endCursor } });
console.log(titles(client.readQuery({ query: SESSIONS })));

const { id } = first.data.sessions.edges[0].node;
const { data } = await client.query({ query: CONVERSATION, variables: { id } });
const stop = follow(id, data.session.eventCursor);
await client.mutate({ mutation: APPEND, variables: { id, text: "When does the train leave?" } });
const texts = await new Promise((resolve) => {
  client.watchQuery({ query: CONVERSATION, variables: { id } }).subscribe(({ data }) => {
    const edges = data?.session?.messages.edges ?? [];
    if (edges.length) resolve(edges.map(({ node }) => node.text));
  });
});
console.log(texts.join("\n"));
stop();
