import { AbstractAgent, type BaseEvent, type Message, type RunAgentInput } from "@ag-ui/client";
import { type AGUIEvent, EventType } from "@ag-ui/core";
import { ColloquyAgentRunner, type RunRequest } from "@colloquy/ag-ui/copilotkit";
import { randomUUID } from "node:crypto";
import { Observable, filter, firstValueFrom, lastValueFrom, skip, toArray } from "rxjs";
import { describe, expect, test } from "vitest";
import { clientOf, newUser } from "../../tests/users.ts";
import { applied, expectValid, typesOf } from "./checks.ts";

/** What every agent waits for before it ends. */
let gate = Promise.resolve();

/** An agent that repeats the question word by word, until it is aborted. */
class Echo extends AbstractAgent {
  private aborted = false;

  run({ threadId, runId, messages }: RunAgentInput): Observable<BaseEvent> {
    const messageId = randomUUID();
    return new Observable((subscriber) => {
      const send = (event: AGUIEvent) => subscriber.next(event as BaseEvent);
      void (async () => {
        send({ type: EventType.RUN_STARTED, threadId, runId });
        send({ type: EventType.TEXT_MESSAGE_START, messageId, role: "assistant" });
        for (const delta of String(messages.at(-1)!.content).split(/(?<= )/)) {
          if (this.aborted) return subscriber.error(new DOMException("The run is aborted.", "AbortError"));
          if (delta === "throw") return subscriber.error(new Error("The model is away."));
          if (delta === "fail") {
            send({ type: EventType.RUN_ERROR, message: "The model is away." });
            return subscriber.complete();
          }
          send({ type: EventType.TEXT_MESSAGE_CONTENT, messageId, delta });
          await new Promise((resolve) => setTimeout(resolve, 30));
        }
        await gate;
        send({ type: EventType.TEXT_MESSAGE_END, messageId });
        send({ type: EventType.RUN_FINISHED, threadId, runId });
        subscriber.complete();
      })();
    });
  }

  override abortRun(): void {
    this.aborted = true;
  }
}

const question = (content: string): Message => ({ id: randomUUID(), role: "user", content });

function requestOf(threadId: string, messages: Message[]): RunRequest {
  const input = { threadId, runId: randomUUID(), messages, tools: [], context: [], state: {}, forwardedProps: {} };
  const agent = new Echo({ threadId, initialMessages: messages });
  return { threadId, agent: agent as never, input };
}

const all = (events: Observable<AGUIEvent>) => lastValueFrom(events.pipe(toArray()), { defaultValue: [] });

describe("the runner of CopilotKit", () => {
  test("stores a run that its browser leaves, and another process connects to it", async () => {
    const user = newUser();
    const [here, there] = [new ColloquyAgentRunner(clientOf(user)), new ColloquyAgentRunner(() => clientOf(user))];
    const threadId = randomUUID();
    const first = question("When does the train leave?");
    let open = () => {};
    gate = new Promise((resolve) => (open = resolve));
    here.run(requestOf(threadId, [first])).subscribe().unsubscribe();
    await expect.poll(() => there.isRunning({ threadId })).toBe(true);
    const following = all(there.connect({ threadId }));
    open();
    const followed = await following;
    await expectValid(followed);
    const messages = await applied(followed);
    expect(messages.map(({ content }) => content)).toEqual([first.content, first.content]);
    expect(await there.isRunning({ threadId })).toBe(false);

    const second = question("And to Porto?");
    const events = await all(here.run(requestOf(threadId, [...messages, second])));
    await expectValid(events);
    expect(events[0]).toMatchObject({ type: EventType.RUN_STARTED, input: { messages: [second] } });
    const replayed = await applied(await all(there.connect({ threadId })));
    expect(replayed.map(({ content }) => content)).toEqual([
      ...messages.map(({ content }) => content),
      second.content,
      second.content,
    ]);
    const session = await clientOf(user).session({ key: threadId });
    expect(session).toMatchObject({ title: first.content, messageCount: 4 });
    const stranger = new ColloquyAgentRunner(clientOf(newUser("stranger")));
    expect(await all(stranger.connect({ threadId }))).toEqual([]);
    expect(await stranger.stop({ threadId })).toBe(false);
  });

  test.each(["here", "in another process"])("is stopped %s, and what came before stays", async (where) => {
    const user = newUser();
    const runner = new ColloquyAgentRunner(clientOf(user));
    const stopper = where === "here" ? runner : new ColloquyAgentRunner(clientOf(user));
    const threadId = randomUUID();
    const run = runner.run(requestOf(threadId, [question("word ".repeat(500))])) as Observable<AGUIEvent>;
    const running = all(run);
    await firstValueFrom(run.pipe(filter(({ type }) => type === EventType.TEXT_MESSAGE_CONTENT)));
    await expect.poll(async () => (await clientOf(user).sessions()).nodes[0]?.lastMessage?.text).toMatch("word");
    expect(await all(runner.run(requestOf(threadId, [question("Me too")])))).toMatchObject([
      { type: EventType.RUN_ERROR, message: "Thread already running" },
    ]);
    const stranger = new ColloquyAgentRunner(clientOf(newUser("stranger")));
    expect(await stranger.stop({ threadId })).toBe(false);
    expect(await stopper.stop({ threadId })).toBe(true);
    const events = await running;
    await expectValid(events);
    expect(typesOf(events).slice(-2)).toEqual([EventType.TEXT_MESSAGE_END, EventType.RUN_FINISHED]);
    const stored = await all(runner.connect({ threadId }));
    await expectValid(stored);
    expect(stored.at(-1)).not.toHaveProperty("outcome");
    expect(await stopper.stop({ threadId })).toBe(false);
  });

  test("stops the run of the user who stops, not that of another user with the same thread id", async () => {
    const [ann, stranger] = [clientOf(newUser()), clientOf(newUser("stranger"))];
    let user = ann; // as a server reads it of its own context
    const runner = new ColloquyAgentRunner(() => user);
    const threadId = randomUUID();
    const isContent = filter<AGUIEvent>(({ type }) => type === EventType.TEXT_MESSAGE_CONTENT);
    const run = async (client: typeof user) => {
      user = client;
      const events = runner.run(requestOf(threadId, [question("word ".repeat(1000))])) as Observable<AGUIEvent>;
      await firstValueFrom(events.pipe(isContent));
      return events;
    };
    const [anns, strangers] = [await run(ann), await run(stranger)];
    let seen = 0;
    strangers.pipe(isContent).subscribe(() => seen++);
    user = ann;
    expect(await runner.stop({ threadId })).toBe(true);
    expect((await all(anns)).at(-1)?.type).toBe(EventType.RUN_FINISHED);
    await firstValueFrom(strangers.pipe(isContent, skip(seen + 2))); // rejects if the run has ended
    user = stranger;
    expect(await runner.stop({ threadId })).toBe(true);
    const events = await all(strangers);
    await expectValid(events);
    expect(events.at(-1)?.type).toBe(EventType.RUN_FINISHED);
  });

  test.each(["throw", "fail"])("ends with the error of an agent that has to %s, and stores it", async (word) => {
    const user = newUser();
    const runner = new ColloquyAgentRunner(clientOf(user));
    const threadId = randomUUID();
    const events = await all(runner.run(requestOf(threadId, [question(`please ${word}`)])));
    await expectValid(events);
    expect(events.at(-1)).toMatchObject({ type: EventType.RUN_ERROR, message: "The model is away." });
    const session = await clientOf(user).session({ key: threadId });
    expect((await clientOf(user).messages(session!.id)).nodes.at(-1)).toMatchObject({ status: "FAILED", text: "please " });
    expect((await all(runner.connect({ threadId }))).at(-1)?.type).toBe(EventType.RUN_ERROR);
  });
});
