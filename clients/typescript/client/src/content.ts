import type { ContentBlock, Message } from "./types.ts";

type Unnumbered<Block> = Block extends unknown ? Omit<Block, "position"> : never;
type Block = Unnumbered<ContentBlock>;
type Text = Extract<Block, { __typename: "TextBlock" | "ReasoningBlock" }>;
type Call = Extract<Block, { __typename: "ToolUseBlock" }>;
type Part = Readonly<Record<string, unknown>>;

/**
 * The blocks of a message as people read them: its `content`, or what a message that is being written has so far. The
 * chunks of AI SDK and the events of AG-UI become the blocks that the server makes of them at the end; the input of a
 * tool is a text until it is complete.
 */
export function contentOf({ status, text, parts, content }: Message): readonly ContentBlock[] {
  if (status !== "STREAMING") return content;
  const blocks: Block[] = parts ? blocksOf(parts) : text ? [{ __typename: "TextBlock", text }] : [];
  return blocks.map((block, position) => ({ ...block, position }) as ContentBlock);
}

function blocksOf(parts: readonly unknown[]): Block[] {
  const folding = new Folding();
  for (const part of parts) if (typeof part === "object" && part !== null) folding.add(part as Part);
  return folding.blocks();
}

class Folding {
  /** A tool call with its result; any other block alone. */
  private readonly groups: Block[][] = [];
  private readonly known = new Map<string, Block[]>();
  private step = 0;
  private newest: unknown; // the id that a TOOL_CALL_CHUNK without an id continues
  private readonly callsWithArguments = new Set<unknown>(); // of AG-UI: JSON, once it is complete

  add(part: Part): void {
    const { type, delta } = part;
    const id = part.messageId ?? part.id;
    const callId = part.toolCallId;
    switch (type) {
      case "text-delta":
      case "TEXT_MESSAGE_CONTENT":
      case "TEXT_MESSAGE_CHUNK":
        return this.grow("TextBlock", id, delta);
      case "reasoning-delta":
      case "REASONING_MESSAGE_CONTENT":
      case "REASONING_MESSAGE_CHUNK":
        return this.grow("ReasoningBlock", id, delta);
      case "text-start":
      case "text-end":
        return void this.known.delete(`TextBlock ${id}`);
      case "reasoning-start":
      case "reasoning-end":
        return void this.known.delete(`ReasoningBlock ${id}`);
      case "tool-input-start":
        return this.start(callId, part.toolName, null);
      case "TOOL_CALL_START":
        return this.start(callId, part.toolCallName, "");
      case "tool-input-delta":
        return this.growInput(callId, part.inputTextDelta);
      case "TOOL_CALL_ARGS":
        return this.growArguments(callId, delta);
      case "TOOL_CALL_CHUNK":
        this.newest = callId ?? this.newest;
        this.start(this.newest, part.toolCallName, "");
        return this.growArguments(this.newest, delta);
      case "tool-input-available":
      case "tool-input-error":
        this.start(callId, part.toolName, null);
        this.setInput(callId, part.input);
        return type === "tool-input-error" ? this.result(callId, part.errorText, true) : undefined;
      case "tool-output-available":
        return this.result(callId, part.output);
      case "TOOL_CALL_RESULT":
        return this.result(callId, part.content);
      case "tool-output-error":
        return this.result(callId, part.errorText, true);
      case "tool-output-denied":
        return this.result(callId, null, true);
      case "source-url":
      case "source-document":
        return this.put({ __typename: "SourceBlock", url: text(part.url), title: text(part.title), fileName: text(part.filename) });
      case "file":
      case "reasoning-file":
        return this.put({ __typename: "MediaBlock", mediaType: String(part.mediaType), fileName: text(part.filename) });
      case "custom":
        return this.put({ __typename: "OtherBlock", kind: "custom" });
      case "steering-message":
        return this.steer(part.parts);
      case "ACTIVITY_SNAPSHOT":
        return this.put({ __typename: "DataBlock", name: String(part.activityType), data: part.content }, `activity ${id}`);
      case "start-step":
        this.step = this.groups.length;
        return;
      case "reset-step":
        return this.reset();
      default:
        if (typeof type !== "string" || !type.startsWith("data-") || part.transient) return;
        return this.put({ __typename: "DataBlock", name: type.slice(5), data: part.data }, id && `${type} ${id}`);
    }
  }

  blocks(): Block[] {
    for (const id of this.callsWithArguments) {
      const call = this.find(id);
      try {
        if (call) call.input = JSON.parse(call.input as string);
      } catch {} // not complete
    }
    return this.groups.flat();
  }

  /** Adds a block; one with a key replaces that of the same key. */
  private put(block: Block, key?: unknown): void {
    const group = this.known.get(key as string);
    if (group) group[0] = block;
    else this.groups.push([block]);
    if (key && !group) this.known.set(key as string, this.groups.at(-1)!);
  }

  private grow(__typename: Text["__typename"], id: unknown, delta: unknown): void {
    if (typeof delta !== "string" || !delta) return;
    const key = `${__typename} ${id}`;
    if (!this.known.has(key)) this.put({ __typename, text: "" }, key);
    (this.known.get(key)![0] as Text).text += delta;
  }

  /** Adds a call, unless it is there. */
  private start(id: unknown, name: unknown, input: unknown): void {
    if (typeof id !== "string" || typeof name !== "string" || this.find(id)) return;
    this.put({ __typename: "ToolUseBlock", toolUseId: id, name, input }, `call ${id}`);
  }

  private setInput(id: unknown, input: unknown): void {
    const call = this.find(id);
    if (call && input !== undefined) call.input = input;
  }

  private growInput(id: unknown, delta: unknown): void {
    const call = this.find(id);
    if (call && typeof delta === "string") call.input = ((call.input as string | null) ?? "") + delta;
  }

  private growArguments(id: unknown, delta: unknown): void {
    this.callsWithArguments.add(id);
    this.growInput(id, delta);
  }

  private result(id: unknown, content: unknown, isError = false): void {
    const group = this.known.get(`call ${id}`);
    if (group) group[1] = { __typename: "ToolResultBlock", toolUseId: String(id), isError, content: content ?? null };
  }

  private find(id: unknown): Call | undefined {
    return this.known.get(`call ${id}`)?.[0] as Call | undefined;
  }

  /** What the user wrote while the answer was under way. */
  private steer(parts: unknown): void {
    if (!Array.isArray(parts)) return;
    for (const part of parts) if (part?.type === "text") this.put({ __typename: "TextBlock", text: String(part.text) });
  }

  /** Drops what the step has made; the producer makes it once more. */
  private reset(): void {
    const dropped = new Set(this.groups.splice(this.step));
    for (const [key, group] of this.known) if (dropped.has(group)) this.known.delete(key);
  }
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
