// A message that is being written, as events while it grows.

import { type AGUIEvent, EventType, type Message } from "@ag-ui/core";
import { callEvents } from "./events.ts";
import { messagesOf } from "./messages.ts";
import { Received } from "./received.ts";
import type { Runs } from "./runs.ts";
import type { StoredMessage } from "./stored.ts";
import { Unfinished } from "./unfinished.ts";

const TYPES = new Set<unknown>(Object.values(EventType));
const LIFECYCLE = new Set<unknown>([EventType.RUN_STARTED, EventType.RUN_FINISHED, EventType.RUN_ERROR]);

export class LiveMessage {
  private count = 0; // parts that have come
  private text: string[] = []; // in code points, as offsets count
  private passed = false;
  private readonly received = new Received();
  private readonly unfinished = new Unfinished();

  constructor(
    private readonly stored: StoredMessage,
    private readonly runs: Runs,
  ) {}

  /** Text from an offset in code points on; what has come already is left out. */
  addText(offset: number, text: string): AGUIEvent[] {
    const fresh = [...text].slice(Math.max(0, this.text.length - offset));
    if (!fresh.length || offset > this.text.length) return [];
    const messageId = this.stored.id;
    const started: AGUIEvent[] = this.text.length
      ? []
      : [{ type: EventType.TEXT_MESSAGE_START, messageId, role: "assistant" }];
    this.text.push(...fresh);
    return this.pass([...started, { type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta: fresh.join("") }]);
  }

  /** Parts from an offset on; what has come already is left out. Parts that are no events of AG-UI wait for the end. */
  addParts(offset: number, parts: readonly unknown[]): AGUIEvent[] {
    if (offset > this.count) return []; // a hole: the end of the message brings what is missing
    const fresh = parts.slice(this.count - offset);
    this.count += fresh.length;
    const events = fresh.filter(isEvent).filter(({ type }) => !LIFECYCLE.has(type));
    if (events.length) this.passed = true;
    return this.pass(events);
  }

  /** The rest of the message, which has ended like this. */
  end(stored: StoredMessage): AGUIEvent[] {
    const messages = messagesOf(stored);
    const events = this.text.length || this.passed ? this.rest(messages, stored) : this.runs.add(stored);
    this.runs.note(stored);
    return events;
  }

  private rest(messages: Message[], stored: StoredMessage): AGUIEvent[] {
    const text = this.text.join("");
    const [first, ...others] = messages;
    if (this.passed) return this.restOfEvents(messages);
    if (first?.role === "assistant" && first.content?.startsWith(text)) {
      const more = this.addText(this.text.length, first.content.slice(text.length));
      const whole = { ...first, id: stored.id };
      this.runs.messages.push(whole);
      const calls = this.runs.pass(stored, callEvents(whole));
      return [...more, ...this.unfinished.close(), ...calls, ...this.runs.addRest(others, stored)];
    }
    this.runs.messages.push(...messages);
    return [...this.unfinished.close(), this.snapshot()];
  }

  /** The last events may not have come: they continue what has come, or the stored messages take its place. */
  private restOfEvents(messages: Message[]): AGUIEvent[] {
    const closing = this.unfinished.close((owner) => this.received.restOf(owner, messages));
    for (const event of closing) this.received.track(event);
    this.runs.messages.push(...messages);
    return messages.every((message) => this.received.has(message)) ? closing : [...closing, this.snapshot()];
  }

  private snapshot(): AGUIEvent {
    return { type: EventType.MESSAGES_SNAPSHOT, messages: [...this.runs.messages] };
  }

  private pass(events: AGUIEvent[]): AGUIEvent[] {
    for (const event of events) {
      this.received.track(event);
      this.unfinished.track(event);
    }
    return this.runs.pass(this.stored, events);
  }
}

function isEvent(part: unknown): part is AGUIEvent {
  return typeof part === "object" && part !== null && TYPES.has((part as { type?: unknown }).type);
}
