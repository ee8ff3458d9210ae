import { Answer, type AnswerOptions } from "./answer.ts";
import { ColloquyError, refusalError } from "./errors.ts";
import { type Following, events } from "./follow.ts";
import * as documents from "./generated.ts";
import type * as inputs from "./generated.ts";
import type { ConnectionState, Live, LiveFactory } from "./live.ts";
import { type Network, machineNetwork } from "./network.ts";
import { type Document, type RequestOptions, Requests, newKey } from "./requests.ts";
import { type TokenProvider, Tokens } from "./tokens.ts";
import type {
  Approval,
  Message,
  Page,
  PageArguments,
  SearchHit,
  Session,
  SessionEvent,
  Viewer,
  ViewerEvent,
} from "./types.ts";
import { type Readable, Value } from "./value.ts";
import { webSocket } from "./websocket.ts";

export interface ClientOptions {
  /** The address of the GraphQL endpoint, such as `https://chat.example.com/graphql`; in a page also relative. */
  url: string;
  /** A token, or a function that returns one: called before the first request, before a token expires, after a refusal. */
  token: TokenProvider;
  /** How events arrive: `webSocket()` by default, or `eventStreams()` of `@colloquy/client/sse`. */
  live?: LiveFactory;
  fetch?: typeof globalThis.fetch;
  /** What the client observes of its machine. */
  network?: Network;
}

export interface EventOptions {
  /** The cursor after which the events begin: an `eventCursor`, a payload's or an event's. Without it: from now on. */
  after?: string | null;
  /** False: the events end after CaughtUp. */
  follow?: boolean;
  signal?: AbortSignal;
}

type Input<T> = Omit<T, "id" | "sessionId">;
type Errors = { errors: readonly inputs.RefusalFragment[] };
type Input1<T> = { input: T };

/** A client of one server for one token. Its methods throw ColloquyError. */
export class ColloquyClient {
  /** Whether events arrive. */
  readonly connection: Readable<ConnectionState>;
  readonly network: Network;
  readonly following: Following;
  private readonly requests: Requests;

  constructor({ url, token, live = webSocket(), fetch = globalThis.fetch, network = machineNetwork() }: ClientOptions) {
    const address = new URL(url, (globalThis as { location?: Location }).location?.href).href;
    const tokens = new Tokens(token);
    const state = new Value<ConnectionState>("idle");
    this.connection = state;
    this.network = network;
    this.requests = new Requests(address, tokens, network, (input, init) => fetch(input, init));
    let unwatch: (() => void) | undefined; // an idle client, as on a server that renders pages, leaves nothing behind
    const changed = (next: ConnectionState) => {
      state.set(next);
      if (next !== "idle") unwatch ??= network.subscribe(() => this.following.live.reconnect());
      else unwatch = unwatch?.() as undefined;
    };
    let opened: Live | undefined; // with the first subscription: requests alone need no implementation of WebSockets
    this.following = {
      get live() {
        return (opened ??= live({ url: address, tokens, changed }));
      },
      tokens,
      network,
    };
  }

  /** The `data` of any operation. It is retried if it has an idempotency key, or if `repeatable` is set. */
  execute<Data, Variables>(
    document: Document<Data, Variables> | string,
    variables: Variables,
    options: RequestOptions & { repeatable?: boolean } = {},
  ): Promise<Data> {
    return this.requests.run(document as Document<Data, Variables>, variables, options, options.repeatable);
  }

  async viewer(options?: RequestOptions): Promise<Viewer> {
    return (await this.query(documents.Viewer, {}, options)).viewer;
  }

  /** A session by its id or by its key; null if the owner of the token has no such session. */
  async session(
    by: { id: string } | { key: string },
    options?: RequestOptions,
  ): Promise<(Session & { eventCursor: string }) | null> {
    return (await this.query(documents.Session, by, options)).session;
  }

  /** A page of sessions, the last active first, with the viewer's `eventCursor` from before the read. */
  async sessions(
    page: PageArguments & { filter?: inputs.SessionFilter } = {},
    options?: RequestOptions,
  ): Promise<Page<Session> & { viewer: inputs.SessionsQuery["viewer"] }> {
    const { sessions, viewer } = await this.query(documents.Sessions, page, options);
    return { ...sessions, viewer };
  }

  /** A page of messages in their order; without arguments the newest 50. Throws NOT_FOUND. */
  async messages(
    sessionId: string,
    page: PageArguments & { filter?: inputs.MessageFilter } = {},
    options?: RequestOptions,
  ): Promise<Page<Message>> {
    const { session } = await this.query(documents.Messages, { id: sessionId, ...page }, options);
    return found(session).messages;
  }

  /** A session with its newest messages and approvals, read together; null if there is no such session. */
  async conversation(
    id: string,
    last = 50,
    options?: RequestOptions,
  ): Promise<inputs.ConversationQuery["session"]> {
    return (await this.query(documents.Conversation, { id, last }, options)).session;
  }

  /** Messages that contain the words, the best match first. */
  async search(
    query: string,
    page: { first?: number; after?: string | null; filter?: inputs.MessageSearchFilter } = {},
    options?: RequestOptions,
  ): Promise<{ hits: SearchHit[]; pageInfo: inputs.PageFragment }> {
    const { searchMessages } = await this.query(documents.Search, { query, ...page }, options);
    return { hits: searchMessages.edges, pageInfo: searchMessages.pageInfo };
  }

  /** The new session, and the cursor after which its events begin. */
  async createSession(
    input: inputs.CreateSessionInput = {},
    options?: RequestOptions,
  ): Promise<Session & { eventCursor: string }> {
    return (await this.mutate(documents.CreateSession, input, options)).session!;
  }

  async updateSession(id: string, input: Input<inputs.UpdateSessionInput>, options?: RequestOptions): Promise<Session> {
    return (await this.mutate(documents.UpdateSession, { id, ...input }, options)).session!;
  }

  async setSessionStatus(id: string, status: inputs.SessionStatus, options?: RequestOptions): Promise<Session> {
    return (await this.mutate(documents.SetSessionStatus, { id, status }, options)).session!;
  }

  async archiveSession(id: string, options?: RequestOptions): Promise<Session> {
    return (await this.mutate(documents.ArchiveSession, { id }, options)).session!;
  }

  /** Undoes archiving and SOFT deletion. */
  async restoreSession(id: string, options?: RequestOptions): Promise<Session> {
    return (await this.mutate(documents.RestoreSession, { id }, options)).session!;
  }

  /** SOFT can be undone with `restoreSession`; HARD erases the session and everything in it. */
  async deleteSession(id: string, mode: inputs.DeleteMode = "SOFT", options?: RequestOptions): Promise<void> {
    await this.mutate(documents.DeleteSession, { id, mode }, options);
  }

  /** Marks the messages up to a sequence as read. */
  async markSessionRead(id: string, upToSequence: number, options?: RequestOptions): Promise<Session> {
    return (await this.mutate(documents.MarkSessionRead, { id, upToSequence }, options, true)).session!;
  }

  /** Appends a message. With a `key` the server stores it once, however often it is sent. */
  async appendMessage(
    sessionId: string,
    message: inputs.MessageInput,
    options?: RequestOptions & { expectedSequence?: number },
  ): Promise<Message> {
    const input = { sessionId, message, ...expected(options) };
    return (await this.mutate(documents.AppendMessage, input, options, message.key != null)).message!;
  }

  /** Appends up to 100 messages, all or nothing. */
  async appendMessages(
    sessionId: string,
    messages: inputs.MessageInput[],
    options?: RequestOptions & { expectedSequence?: number },
  ): Promise<Message[]> {
    return (await this.mutate(documents.AppendMessages, { sessionId, messages, ...expected(options) }, options)).messages;
  }

  async updateMessage(id: string, input: Input<inputs.UpdateMessageInput>, options?: RequestOptions): Promise<Message> {
    return (await this.mutate(documents.UpdateMessage, { id, ...input }, options)).message!;
  }

  async deleteMessage(id: string, options?: RequestOptions): Promise<void> {
    await this.mutate(documents.DeleteMessage, { id }, options);
  }

  /** Starts a message that is read while it is written. Abort `signal` to cancel it. */
  answer(sessionId: string, options: AnswerOptions = {}): Promise<Answer> {
    return Answer.start(this, sessionId, options);
  }

  /** Opens a streaming message, or takes over the one with this key; `answer` does the rest of the work too. */
  async startMessage(
    input: inputs.StartMessageInput,
    options?: RequestOptions,
  ): Promise<{ message: Message; fence: string }> {
    const { message, fence } = await this.mutate(documents.StartMessage, input, options, input.key != null);
    return { message: message!, fence: fence! };
  }

  /** Adds text at an offset in Unicode code points, or parts at an offset that counts parts. */
  async extendMessage(input: inputs.ExtendMessageInput, options?: RequestOptions): Promise<void> {
    await this.mutate(documents.ExtendMessage, input, options, true);
  }

  async finishMessage(input: inputs.FinishMessageInput, options?: RequestOptions): Promise<Message> {
    return (await this.mutate(documents.FinishMessage, input, options)).message!;
  }

  /** Stops a streaming message from any device; what is written stays. */
  async cancelMessage(id: string, options?: RequestOptions): Promise<Message> {
    return (await this.mutate(documents.CancelMessage, { id }, options)).message!;
  }

  async requestApproval(input: inputs.RequestApprovalInput, options?: RequestOptions): Promise<Approval> {
    return (await this.mutate(documents.RequestApproval, input, options)).approval!;
  }

  async decideApproval(
    id: string,
    decision: inputs.Decision,
    notes?: string,
    options?: RequestOptions,
  ): Promise<Approval> {
    const input = notes === undefined ? { id, decision } : { id, decision, notes };
    return (await this.mutate(documents.DecideApproval, input, options)).approval!;
  }

  /** The changes of a session: none is missed, none comes twice, across lost connections. Throws NOT_FOUND. */
  sessionEvents(sessionId: string, { signal, ...after }: EventOptions = {}): AsyncGenerator<SessionEvent, void, void> {
    return events<SessionEvent, inputs.SessionEventsSubscriptionVariables>(
      this.following,
      documents.SessionEvents,
      { sessionId, ...after },
      signal,
    );
  }

  /** The changes of all sessions and approvals of the viewer; after a lost connection one may come twice. */
  viewerEvents({ signal, ...after }: EventOptions = {}): AsyncGenerator<ViewerEvent, void, void> {
    return events<ViewerEvent, inputs.ViewerEventsSubscriptionVariables>(
      this.following,
      documents.ViewerEvents,
      after,
      signal,
    );
  }

  /** The events of any subscription that takes `after`; it resumes after the `cursor` of the last event. */
  subscribe<Event extends { cursor: string }, Variables extends { after?: string | null | undefined }>(
    document: Document<Record<string, Event>, Variables> | string,
    variables: Variables,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<Event, void, void> {
    return events(this.following, document as Document<Record<string, Event>, Variables>, variables, signal);
  }

  private query<Data, Variables>(
    document: Document<Data, Variables>,
    variables: Variables,
    options?: RequestOptions,
  ): Promise<Data> {
    return this.requests.run(document, variables, options, true);
  }

  /**
   * The payload of a mutation whose document selects its `errors`; the first of them is thrown. The request is retried:
   * a mutation that is not repeatable by itself gets an idempotency key.
   */
  mutate<Field extends string, Payload extends Errors, In>(
    document: Document<Record<Field, Payload>, Input1<In>>,
    input: In,
    options: RequestOptions = {},
    repeatable = false,
  ): Promise<Payload> {
    const { signal, idempotencyKey = repeatable ? undefined : newKey() } = options;
    return this.requests.run(document, { input }, { signal, idempotencyKey }, true, accepted<Payload>);
  }
}

/** The payload of the only field. Throws the first of its errors. */
function accepted<Payload extends Errors>(data: Record<string, Payload>): Payload {
  const [payload] = Object.values(data);
  const [refusal] = payload!.errors;
  if (refusal) throw refusalError(refusal);
  return payload!;
}

function found<T>(object: T | null): T {
  if (!object) throw new ColloquyError("NOT_FOUND", "There is no such session.");
  return object;
}

function expected(options?: { expectedSequence?: number }): { expectedSequence?: number } {
  return options?.expectedSequence === undefined ? {} : { expectedSequence: options.expectedSequence };
}
