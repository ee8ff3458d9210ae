// graphql-ws follows a session through connections that break: each event on a line of its own. LINES is code of the
// README, run as it stands there with the names that it uses; without it graphql-ws repeats its request by itself.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const { URL: url, TOKEN: token, SESSION: id, CURSOR: eventCursor, FOLLOW, LINES } = process.env;
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
  retryAttempts: Infinity,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  shouldRetry: () => true,
});
const show = (event) => console.log(JSON.stringify(event));
const error = (problem) => {
  console.error(problem);
  process.exit(1);
};
const complete = () => process.exit(0);
if (LINES) {
  new Function("client", "FOLLOW", "id", "eventCursor", "show", "error", "complete", LINES)(
    ...[client, FOLLOW, id, eventCursor, show, error, complete],
  );
} else {
  const next = ({ data }) => show(data.sessionEvents);
  client.subscribe({ query: FOLLOW, variables: { id, after: eventCursor } }, { next, error, complete });
}
process.stdin.on("close", () => process.exit(0)).resume();
