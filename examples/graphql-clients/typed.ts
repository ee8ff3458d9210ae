// graphql-codegen: every result has the types of its document, without a client.
import { graphql } from "./gql";
import type { TypedDocumentString } from "./gql/graphql";

const { COLLOQUY_URL: url, COLLOQUY_TOKEN: token } = process.env as Record<string, string>;

async function execute<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
  const response = await fetch(url!, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ query: document.toString(), variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: { message: string }[] };
  if (errors) throw new Error(errors[0]!.message);
  return data;
}

const CREATE = graphql(`
  mutation CreateTyped($title: String!) {
    createSession(input: { title: $title }) { session { id title status createdAt } errors { code message field } }
  }
`);
const { createSession } = await execute(CREATE, { title: "Lisbon" });
const title: string | undefined = createSession.session?.title;
const status: "PENDING" | "ACTIVE" | "COMPLETED" | "FAILED" | "EXPIRED" | undefined = createSession.session?.status;
console.log(title, status);
