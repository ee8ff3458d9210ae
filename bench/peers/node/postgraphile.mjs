// PostGraphile 5 over our tables, in its cheapest form: the owner is a condition of the document, not row security.
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { pgSmartTags } from 'postgraphile/utils';
import { size, viewer } from './common.mjs';

const filtered = column => ({
  kind: 'attribute',
  match: column,
  tags: { behavior: '+condition:attribute:filterBy' },
});
const tags = pgSmartTags([
  {
    kind: 'class',
    match: 'messages',
    tags: {
      foreignKey:
        '(owner_id, session_id) references sessions (owner_id, id)|@foreignFieldName messages|@fieldName session',
    },
  },
  ...['messages.deleted_at', 'sessions.deleted_at', 'sessions.archived_at'].map(filtered),
  // The indexes on it are partial ones, which PostGraphile takes for no index.
  {
    kind: 'attribute',
    match: 'sessions.last_activity_at',
    tags: { behavior: '+orderBy +attribute:orderBy' },
  },
]);
const poolConfig = { max: size, min: size, idleTimeoutMillis: 0 };
const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [tags],
  pgServices: [makePgService({ schemas: ['public', 'bench'], poolConfig })],
  grafserv: { graphqlPath: '/graphql', graphiql: false, websockets: false },
  grafast: {
    explain: false,
    context: ({ node }) => ({ viewer: viewer(node?.req.headers.authorization) }),
  },
};
const instance = postgraphile(preset);
if (process.env.PRINT) {
  const { printSchema } = await import('graphql');
  console.log(printSchema((await instance.getSchemaResult()).schema));
  process.exit();
}
const server = createServer();
await instance.createServ(grafserv).addTo(server);
server.listen(+process.env.PORT, '127.0.0.1');
