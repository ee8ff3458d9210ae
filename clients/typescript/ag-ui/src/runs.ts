// Messages as runs: each run begins with what a person wrote, and has what agents wrote after it.

import {
  type AGUIEvent,
  EventType,
  type Message,
  PROTOCOL_VERSION,
  type RunFinishedEvent,
  type TokenUsage,
} from "@ag-ui/core";
import type { Approval } from "@colloquy/client";
import { eventsOf } from "./events.ts";
import { messagesOf } from "./messages.ts";
import type { StoredMessage } from "./stored.ts";

type Outcome = NonNullable<RunFinishedEvent["outcome"]>;

interface OpenRun {
  runId: string;
  ids: Set<string>;
  /** The id of a call in this run, by the id that its producer gave it. */
  calls: Map<string, string>;
  stored: StoredMessage[];
}

/** Makes the events of messages that come in their order. Ids of messages and calls are unique within a run. */
export class Runs {
  /** Every message so far. */
  readonly messages: Message[] = [];
  private input: Message[] = [];
  private asking: StoredMessage | null = null;
  private open: OpenRun | null = null;

  constructor(
    private readonly threadId: string,
    private approvals: readonly Approval[],
  ) {}

  /** The events of a message that is not being written any more. */
  add(stored: StoredMessage): AGUIEvent[] {
    return this.addRest(messagesOf(stored), stored);
  }

  /** Begins a run with this message, unless one has begun; `passed` are events of its producer that follow. */
  pass(stored: StoredMessage, passed: readonly AGUIEvent[]): AGUIEvent[] {
    if (!passed.length) return [];
    const begun = this.begin(stored);
    this.note(stored);
    for (const event of passed) {
      if ("messageId" in event && event.messageId) this.open!.ids.add(event.messageId);
      if (event.type === EventType.TOOL_CALL_START) this.open!.calls.set(event.toolCallId, event.toolCallId);
    }
    return [...begun, ...passed];
  }

  /** The events of messages of a stored message whose other events were passed. */
  addRest(messages: readonly Message[], stored: StoredMessage): AGUIEvent[] {
    return messages.flatMap((message) => this.addMessage(message, stored));
  }

  /** Notes the newest state of a message of the run. */
  note(stored: StoredMessage): void {
    if (this.open) this.open.stored = [...this.open.stored.filter(({ id }) => id !== stored.id), stored];
  }

  decide(approval: Approval): void {
    this.approvals = [...this.approvals.filter(({ id }) => id !== approval.id), approval];
  }

  /** Ends the run. Messages of a person that nothing has followed are a run too. */
  finish(): AGUIEvent[] {
    const { asking } = this;
    const begun = asking ? this.begin(asking) : [];
    if (asking) this.note(asking);
    if (!this.open) return begun;
    const { runId, stored } = this.open;
    const usage = usageOf(stored);
    const outcome = this.outcome(stored);
    const timestamp = timeOf(stored.at(-1)!);
    this.open = null;
    const { threadId } = this;
    return [...begun, { type: EventType.RUN_FINISHED, threadId, runId, outcome, ...(usage && { usage }), timestamp }];
  }

  /** As `finish`, for the last events: a message that failed is an error, after which no event may come. */
  end(): AGUIEvent[] {
    const last = this.asking ? null : this.open?.stored.at(-1);
    const events = this.finish();
    if (last?.status !== "FAILED") return events;
    return [{ type: EventType.RUN_ERROR, message: "The answer failed.", timestamp: timeOf(last) }];
  }

  private addMessage(message: Message, stored: StoredMessage): AGUIEvent[] {
    this.messages.push(message);
    if (this.isInput(message)) {
      const events = this.open ? this.finish() : [];
      this.input.push(message);
      this.asking = stored;
      return events;
    }
    const begun = this.begin(stored);
    this.note(stored);
    const timestamp = timeOf(stored);
    return [...begun, ...eventsOf(this.distinct(message)).map((event) => ({ ...event, timestamp }))];
  }

  /** What a person wrote, and the result of a call in an earlier run, which the agent gets with the next run. */
  private isInput(message: Message): boolean {
    if (message.role === "tool") return !this.open?.calls.has(message.toolCallId);
    return message.role === "user" || message.role === "system" || message.role === "developer";
  }

  private begin(stored: StoredMessage): AGUIEvent[] {
    if (this.open) return [];
    const { threadId, input: messages } = this;
    const runId = stored.id;
    this.open = { runId, ids: new Set(messages.map(({ id }) => id)), calls: new Map(), stored: [] };
    this.input = [];
    this.asking = null;
    const input = messages.length ? { input: { threadId, runId, messages, tools: [], context: [] } } : {};
    const started = { type: EventType.RUN_STARTED as const, threadId, runId, protocolVersion: PROTOCOL_VERSION };
    return [{ ...started, ...input, timestamp: timeOf(stored) }];
  }

  private outcome(stored: readonly StoredMessage[]): Outcome {
    const ids = new Set(stored.map(({ id }) => id));
    const pending = this.approvals.filter(({ status, message }) => status === "PENDING" && ids.has(message?.id ?? ""));
    if (pending.length) return { type: "interrupt", interrupts: pending.map(interruptOf) };
    const status = stored.at(-1)!.status;
    return { type: status === "CANCELLED" || status === "FAILED" ? "cancelled" : "success" };
  }

  private distinct(message: Message): Message {
    const { ids, calls } = this.open!;
    const id = ids.has(message.id) ? `${message.id}#${ids.size}` : message.id;
    ids.add(id);
    if (message.role === "tool") return { ...message, id, toolCallId: calls.get(message.toolCallId)! };
    if (message.role !== "assistant" || !message.toolCalls) return { ...message, id };
    const toolCalls = message.toolCalls.map((call) => {
      const own = calls.has(call.id) ? `${call.id}#${ids.size}.${calls.size}` : call.id;
      calls.set(call.id, own).set(own, own);
      return { ...call, id: own };
    });
    return { ...message, id, toolCalls };
  }
}

function interruptOf({ id, toolUseId, notes }: Approval) {
  return { id, reason: "approval", ...(toolUseId && { toolCallId: toolUseId }), ...(notes && { message: notes }) };
}

function usageOf(stored: readonly StoredMessage[]): TokenUsage[] | null {
  const found = stored.flatMap(({ usage }) => usage ?? []);
  const sum = (name: "inputTokens" | "outputTokens" | "totalTokens") => found.reduce((all, one) => all + one[name], 0);
  if (!found.length) return null;
  return [{ inputTokens: sum("inputTokens"), outputTokens: sum("outputTokens"), totalTokens: sum("totalTokens") }];
}

const timeOf = ({ createdAt }: StoredMessage): number => Date.parse(createdAt);
