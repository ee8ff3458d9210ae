// GraphQL Yoga + pg + dataloader over our tables and our schema's words; JIT=1 adds graphql-jit.
import { createServer } from 'node:http';
import { createSchema, createYoga } from 'graphql-yoga';
import { useGraphQlJit } from '@envelop/graphql-jit';
import DataLoader from 'dataloader';
import { pool as makePool, viewer } from './common.mjs';

const pool = makePool();
const query = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const typeDefs = /* GraphQL */ `
  scalar DateTime
  scalar JSON
  enum MessageRole { USER ASSISTANT SYSTEM TOOL }
  enum MessageStatus { STREAMING COMPLETE CANCELLED FAILED }
  enum SessionStatus { PENDING ACTIVE COMPLETED FAILED EXPIRED }
  interface Node { id: ID! }
  interface UserError { code: String! message: String! field: [String!] }
  type NotFoundError implements UserError { code: String! message: String! field: [String!] }
  type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
  type Agent implements Node { id: ID! name: String! type: String! }
  type SessionAgent implements Node { id: ID! key: String! agent: Agent }
  type Message implements Node {
    id: ID! key: String sequence: Int! role: MessageRole! status: MessageStatus! text: String! metadata: JSON!
    revision: Int! createdAt: DateTime! updatedAt: DateTime! agent: SessionAgent session: Session!
  }
  type MessageEdge { cursor: String! node: Message! }
  type MessageConnection { edges: [MessageEdge!]! nodes: [Message!]! pageInfo: PageInfo! }
  type Session implements Node {
    id: ID! title: String! status: SessionStatus! lastActivityAt: DateTime! messageCount: Int! unreadCount: Int!
    lastMessage: Message messages(last: Int! = 50): MessageConnection!
  }
  type SessionEdge { cursor: String! node: Session! }
  type SessionConnection { edges: [SessionEdge!]! pageInfo: PageInfo! }
  input MessageInput { role: MessageRole! text: String }
  input AppendMessageInput { sessionId: ID! message: MessageInput! }
  type MessagePayload { message: Message cursor: String errors: [UserError!]! }
  type Query { node(id: ID!): Node session(id: ID!): Session sessions(first: Int! = 50): SessionConnection! }
  type Mutation { appendMessage(input: AppendMessageInput!): MessagePayload! }
`;

const SESSION = 'id, title, status, last_activity_at, message_count, unread_count';
const MESSAGE = 'session_id, sequence, key, agent_key, role, status, text, metadata, revision, created_at, updated_at';
const SQL = {
  sessions: `select ${SESSION} from sessions where owner_id = $1 and id = any($2::uuid[]) and erased_at is null`,
  sessionPage: `select ${SESSION}, (extract(epoch from last_activity_at) * 1000000)::bigint as position from sessions
    where owner_id = $1 and archived_at is null and deleted_at is null
    order by last_activity_at desc, id desc limit $2`,
  messagePage: `select ${MESSAGE} from messages where owner_id = $1 and session_id = $2 and deleted_at is null
    order by sequence desc limit $3`,
  message: `select ${MESSAGE} from messages
    where owner_id = $1 and session_id = $2 and sequence = $3 and deleted_at is null`,
  parts: `select g.session_id, g.key, g.agent_id from unnest($2::uuid[], $3::text[]) wanted (session_id, key)
    join session_agents g on g.session_id = wanted.session_id and g.kind = 'AGENT' and g.key = wanted.key
    where g.owner_id = $1`,
  agents: 'select id, name, type from agents where owner_id = $1 and id = any($2::uuid[]) and deleted_at is null',
  last: `select m.* from unnest($2::uuid[]) s (id) cross join lateral (
      select ${MESSAGE} from messages where owner_id = $1 and session_id = s.id and deleted_at is null
      order by sequence desc limit 1
    ) m`,
  append: `with head as (
      update sessions set last_sequence = last_sequence + 1, message_count = message_count + 1, head = head + 1,
        unread_count = unread_count + case when $3 = 'USER' then 0 else 1 end,
        last_activity_at = greatest(last_activity_at, now())
      where owner_id = $1 and id = $2 and deleted_at is null and archived_at is null and status = 'ACTIVE'
      and (expires_at is null or expires_at > now())
      returning owner_id, id, last_sequence, head
    )
    insert into messages (owner_id, session_id, sequence, created_revision, revision, role, text, metadata, tsv)
    select owner_id, id, last_sequence, head, head, $3, $4, '{}',
      to_tsvector('simple', left($4, 16384)) || array_to_tsvector(array['@' || owner_id])
    from head returning ${MESSAGE}`,
};

// Yoga copies the context's own properties: methods would be lost.
function contextOf(owner) {
  const rows = (name, ...values) => query(name, SQL[name], [owner, ...values]);
  const loader = (name, values, keyOf) =>
    new DataLoader(async keys => {
      const found = new Map((await rows(name, ...values(keys))).map(row => [keyOf(row), row]));
      return keys.map(key => found.get(key) ?? null);
    });
  const pair = keys => [keys.map(key => key.slice(0, 36)), keys.map(key => key.slice(36))];
  return {
    owner,
    rows,
    sessions: loader('sessions', ids => [ids], row => row.id),
    last: loader('last', ids => [ids], row => row.session_id),
    agents: loader('agents', ids => [ids], row => row.id),
    parts: loader('parts', pair, row => row.session_id + row.key),
  };
}

function connection(rows, cursorOf, hasNextPage, hasPreviousPage) {
  const edges = rows.map(node => ({ cursor: cursorOf(node), node }));
  const pageInfo = { hasNextPage, hasPreviousPage, startCursor: edges[0]?.cursor, endCursor: edges.at(-1)?.cursor };
  return { edges, nodes: rows, pageInfo };
}

async function append({ sessionId, message }, owner) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const values = [owner, sessionId.slice(4), message.role, message.text];
    const { rows: [row] } = await client.query({ name: 'append', text: SQL.append, values });
    await client.query('commit');
    if (row) return { message: row, cursor: `e.${row.session_id}.${row.revision}`, errors: [] };
    return { errors: [{ code: 'NOT_FOUND', message: 'There is no such session.', field: ['sessionId'] }] };
  } finally {
    client.release();
  }
}

const resolvers = {
  Node: { __resolveType: row => ('sequence' in row ? 'Message' : 'Session') },
  UserError: { __resolveType: () => 'NotFoundError' },
  Query: {
    node: async (_, { id }, context) => {
      if (id.startsWith('ses_')) return context.sessions.load(id.slice(4));
      return (await context.rows('message', id.slice(4, 40), id.slice(41)))[0];
    },
    session: (_, { id }, context) => context.sessions.load(id.slice(4)),
    sessions: async (_, { first }, context) => {
      const rows = await context.rows('sessionPage', first + 1);
      return connection(rows.slice(0, first), row => `a.${row.position}.${row.id}`, rows.length > first, false);
    },
  },
  Session: {
    id: row => `ses_${row.id}`,
    lastActivityAt: row => row.last_activity_at,
    messageCount: row => row.message_count,
    unreadCount: row => row.unread_count,
    lastMessage: (row, _, context) => context.last.load(row.id),
    messages: async (row, { last }, context) => {
      const rows = await context.rows('messagePage', row.id, last + 1);
      return connection(rows.slice(0, last).reverse(), found => `m.${found.sequence}`, false, rows.length > last);
    },
  },
  Message: {
    id: row => `msg_${row.session_id}_${row.sequence}`,
    createdAt: row => row.created_at,
    updatedAt: row => row.updated_at,
    agent: (row, _, context) => row.agent_key && context.parts.load(row.session_id + row.agent_key),
    session: (row, _, context) => context.sessions.load(row.session_id),
  },
  SessionAgent: { agent: (row, _, context) => row.agent_id && context.agents.load(row.agent_id) },
  Agent: { id: row => `agt_${row.id}` },
  Mutation: { appendMessage: (_, { input }, context) => append(input, context.owner) },
};

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  logging: false,
  graphiql: false,
  landingPage: false,
  maskedErrors: true,
  plugins: process.env.JIT ? [useGraphQlJit()] : [],
  context: ({ request }) => contextOf(viewer(request.headers.get('authorization'))),
});
createServer(yoga).listen(+process.env.PORT, '127.0.0.1');
