// What a stream of events must be: valid for both validators, and the messages that a client of AG-UI makes of it.

import { AbstractAgent, type BaseEvent, type Message, verifyEvents } from "@ag-ui/client";
import type { AGUIEvent } from "@ag-ui/core";
import { appendFile } from "node:fs/promises";
import { type Observable, from, lastValueFrom, toArray } from "rxjs";
import { expect } from "vitest";

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The client of AG-UI accepts the events; the validator `ag-ui-validate`, a program in Python, reads them afterwards. */
export async function expectValid(events: readonly AGUIEvent[]): Promise<void> {
  const { AG_UI_STREAMS } = process.env;
  if (AG_UI_STREAMS) await appendFile(AG_UI_STREAMS, `${JSON.stringify(events)}\n`);
  const verified = from(events as BaseEvent[]).pipe(verifyEvents(false), toArray());
  expect(await lastValueFrom(verified)).toEqual(events);
}

class Replayed extends AbstractAgent {
  constructor(private readonly events: readonly AGUIEvent[]) {
    super();
  }

  run(): Observable<BaseEvent> {
    return from(this.events as BaseEvent[]);
  }
}

/** The messages that the client of AG-UI has after these events. */
export async function applied(events: readonly AGUIEvent[]): Promise<Message[]> {
  const agent = new Replayed(events);
  await agent.runAgent();
  return agent.messages;
}

export const typesOf = (events: readonly AGUIEvent[]) => events.map(({ type }) => type);
