// The entry `@colloquy/ag-ui/copilotkit`: a runner for CopilotKit whose threads are sessions with the thread's id as key.

import { type AGUIEvent, EventType, type Message, type RunAgentInput } from "@ag-ui/core";
import { type Answer, type ColloquyClient, type MessageRole } from "@colloquy/client";
import { Observable, ReplaySubject } from "rxjs";
import { follow } from "./follow.ts";
import { messagesOf } from "./messages.ts";
import { allMessages, readSession } from "./stored.ts";
import { Unfinished } from "./unfinished.ts";

// CopilotKit pins a version of AG-UI; its types of events are not those of another version.
type Events = Observable<any>;

/** What a run needs of an agent; every agent of `@ag-ui/client` has it. */
export interface RunningAgent {
  agentId?: string | undefined;
  headers?: Record<string, string>;
  runAgent(input: never, subscriber: never): Promise<unknown>;
  abortRun(): void;
}

export interface RunRequest {
  threadId: string;
  agent: RunningAgent;
  input: { runId: string; messages: readonly { id: string; role: string }[] };
}

export interface ThreadRequest {
  threadId: string;
  /** The headers that CopilotKit forwards; it has none for `isRunning` and `stop`. */
  headers?: Record<string, string>;
}

const ROLES: Record<string, MessageRole> = { user: "USER", system: "SYSTEM", developer: "SYSTEM", tool: "TOOL" };
const NOT_WRITTEN = new Set<string>([
  EventType.RUN_STARTED,
  EventType.RUN_FINISHED,
  EventType.RUN_ERROR,
  EventType.MESSAGES_SNAPSHOT, // the whole thread, whose messages are stored
]);

/** The `runner` of a CopilotRuntime. Runs go on when their browser leaves, are followed from any device, and stopped. */
export class ColloquyAgentRunner {
  /** The agents that run in this process, by the ids of the messages that they write: two users may have the same key. */
  private readonly agents = new Map<string, RunningAgent>();

  /** One client for all threads, or a function that returns that of the user of a request. */
  constructor(private readonly client: ColloquyClient | ((request: ThreadRequest) => ColloquyClient)) {}

  /** Stores what is new in the input, then runs the agent and writes its events as an answer. */
  run({ threadId, agent, input }: RunRequest): Events {
    const events = new ReplaySubject<AGUIEvent>();
    const client = this.clientOf({ threadId, ...(agent.headers && { headers: agent.headers }) });
    void new Run(client, threadId, agent, this.agents).write(input as unknown as RunAgentInput, events);
    return events.asObservable();
  }

  /** Everything that is stored, and the answers that are being written. A thread that is not stored has no events. */
  connect(request: ThreadRequest): Events {
    const client = this.clientOf(request);
    return new Observable<AGUIEvent>((subscriber) => {
      const left = new AbortController();
      void (async () => {
        try {
          if (await client.session({ key: request.threadId })) {
            const name = { key: request.threadId };
            for await (const event of follow(client, name, { signal: left.signal })) subscriber.next(withoutCancelled(event));
          }
          subscriber.complete();
        } catch (error) {
          subscriber.error(error);
        }
      })();
      return () => left.abort();
    });
  }

  async isRunning(request: ThreadRequest): Promise<boolean> {
    return (await this.clientOf(request).session({ key: request.threadId }))?.streaming ?? false;
  }

  /** Cancels the answers that are being written, whichever process writes them. False if there is none. */
  async stop(request: ThreadRequest): Promise<boolean> {
    const client = this.clientOf(request);
    const session = await client.session({ key: request.threadId });
    if (!session?.streaming) return false;
    const { nodes } = await client.messages(session.id, { last: 100 });
    const streaming = nodes.filter(({ status }) => status === "STREAMING");
    await Promise.all(streaming.map(({ id }) => client.cancelMessage(id)));
    for (const { id } of streaming) this.agents.get(id)?.abortRun(); // another process aborts its agent with its next event
    return streaming.length > 0;
  }

  private clientOf(request: ThreadRequest): ColloquyClient {
    return typeof this.client === "function" ? this.client(request) : this.client;
  }
}

/** One run: its events go to the browser and into the session. */
class Run {
  private readonly unfinished = new Unfinished();
  private started = false;
  private ended = false;
  private failed = false; // an agent may end with an error event and throw nothing

  constructor(
    private readonly client: ColloquyClient,
    private readonly threadId: string,
    private readonly agent: RunningAgent,
    private readonly agents: Map<string, RunningAgent>,
  ) {}

  async write(input: RunAgentInput, events: ReplaySubject<AGUIEvent>): Promise<void> {
    let answer: Answer | undefined;
    try {
      const { sessionId, messages } = await this.store(input);
      answer = await this.client.answer(sessionId, { partsFormat: "AG_UI", pause: 20 });
      this.agents.set(answer.message.id, this.agent);
      answer.signal.addEventListener("abort", () => this.ended || this.agent.abortRun());
      const onEvent = ({ event }: { event: AGUIEvent }) => this.pass(event, { ...input, messages }, events, answer!);
      await this.agent.runAgent(input as never, { onEvent } as never);
      await (this.failed ? answer.fail() : answer.finish());
      this.end({ type: EventType.RUN_FINISHED, threadId: this.threadId, runId: input.runId }, events);
    } catch (error) {
      await answer?.fail().catch(() => {}); // the first error is the one to send
      const { threadId } = this;
      const stopped: AGUIEvent = { type: EventType.RUN_FINISHED, threadId, runId: input.runId };
      const message = error instanceof Error ? error.message : String(error);
      this.end(answer?.stopped ? stopped : { type: EventType.RUN_ERROR, message }, events);
    }
    if (answer) this.agents.delete(answer.message.id);
    events.complete();
  }

  private pass(event: AGUIEvent, input: RunAgentInput, events: ReplaySubject<AGUIEvent>, answer: Answer): void {
    const { type } = event;
    if (answer.stopped || this.ended) return;
    this.started = true;
    this.unfinished.track(event);
    if (!NOT_WRITTEN.has(type)) answer.writeParts(event);
    this.failed = type === EventType.RUN_ERROR;
    this.ended = this.failed || type === EventType.RUN_FINISHED;
    events.next(type === EventType.RUN_STARTED && !event.input ? { ...event, input } : event);
  }

  /** Ends the events, unless the agent has. */
  private end(last: AGUIEvent, events: ReplaySubject<AGUIEvent>): void {
    if (this.ended) return;
    this.ended = true;
    // A run that is stopped before its first event is a run all the same.
    const { type, threadId, runId } = last as { type: EventType; threadId: string; runId: string };
    const begun = !this.started && type === EventType.RUN_FINISHED;
    if (begun) events.next({ type: EventType.RUN_STARTED, threadId, runId });
    for (const event of [...this.unfinished.close(), last]) events.next(event);
  }

  /** Stores the messages that the session does not have; returns them. */
  private async store({ messages }: RunAgentInput): Promise<{ sessionId: string; messages: Message[] }> {
    const name = { key: this.threadId };
    const session = (await this.client.session(name)) ?? (await this.client.createSession(name));
    if (session.streaming) throw new Error("Thread already running");
    const known = new Set<string>();
    const stored = await readSession(this.client, { id: session.id });
    for await (const message of allMessages(this.client, stored)) {
      for (const { id } of messagesOf(message)) known.add(id);
    }
    const fresh = messages.filter(({ id, role }) => !known.has(id) && ROLES[role] !== undefined);
    const inputs = fresh.map((message) => ({ key: message.id, role: ROLES[message.role]!, raw: JSON.stringify(message) }));
    for (let from = 0; from < inputs.length; from += 100) {
      await this.client.appendMessages(session.id, inputs.slice(from, from + 100));
    }
    return { sessionId: session.id, messages: fresh };
  }
}

/** The versions of AG-UI before 1.0 refuse this outcome. */
function withoutCancelled(event: AGUIEvent): AGUIEvent {
  if (event.type !== EventType.RUN_FINISHED || event.outcome?.type !== "cancelled") return event;
  const { outcome: _, ...rest } = event;
  return rest;
}
