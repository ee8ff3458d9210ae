import { type Chunk, isChunk, messageOf } from "./chunk.ts";
import { chunksAfter } from "./chunks-after.ts";
import type { Row, RowEvent } from "./documents.ts";
import { idOf, toUIMessage } from "./ui-messages.ts";

const TEXT_ID = "text";

/** A message that the reader has already, and that an answer with its id begins with. */
export interface Continued {
  id: string;
  /** How many chunks make it. */
  chunks: number;
}

/** The chunks of one answer: each part once, however often it is read. */
export class AnswerChunks {
  private readonly sent: Chunk[] = [];
  private id: string;
  /** What is read of the row: parts, or code points of its text. */
  private length = 0;

  constructor(
    row: Row,
    private readonly emit: (chunk: Chunk) => void,
    private readonly continued?: Continued,
  ) {
    this.id = idOf(row);
  }

  /** The row while it is written: all parts so far, or the text so far. */
  grown(row: Row): void {
    this.id = idOf(row);
    if (row.parts) this.addParts(0, row.parts);
    else this.addText(0, row.text);
  }

  /** What was added to the row. */
  added({ offset = 0, parts, text }: RowEvent): void {
    if (parts) this.addParts(offset, parts);
    else this.addText(offset, text ?? "");
  }

  /** The row at its end. The last parts may not have come: they are made of the document. */
  async ended(row: Row): Promise<void> {
    const message = await toUIMessage(row);
    const before = this.sent.length ? await messageOf(this.sent, this.id) : undefined;
    for (const chunk of chunksAfter(message, before, this.sent)) this.send(chunk);
    if (row.status === "CANCELLED" && !this.has("abort")) this.send({ type: "abort" });
    if (row.status === "COMPLETE" && !this.has("finish")) this.send({ type: "finish" });
    if (row.status === "FAILED" && !this.has("error")) this.send({ type: "error", errorText: "The answer has failed." });
  }

  private addParts(offset: number, parts: readonly unknown[]): void {
    for (const part of parts.slice(Math.max(0, this.length - offset))) if (isChunk(part)) this.send(part);
    this.length = Math.max(this.length, offset + parts.length);
  }

  private addText(offset: number, text: string): void {
    const added = [...text].slice(Math.max(0, this.length - offset));
    if (!this.has("text-start")) this.send({ type: "text-start", id: TEXT_ID });
    if (added.length) this.send({ type: "text-delta", id: TEXT_ID, delta: added.join("") });
    this.length += added.length;
  }

  private has(type: string): boolean {
    return this.sent.some((chunk) => chunk.type === type);
  }

  private send(chunk: Chunk): void {
    if (!this.sent.length && chunk.type !== "start") this.send({ type: "start", messageId: this.id });
    if (!this.sent.length && typeof chunk.messageId === "string") this.id = chunk.messageId;
    // One id, whatever the producer wrote: AI SDK takes a start with another id for another message.
    const own = chunk.type === "start" ? { ...chunk, messageId: this.id } : chunk;
    this.sent.push(own);
    if (!this.isKnown()) this.emit(own);
  }

  /** True if the reader has the last chunk already. A producer may begin a message of its own instead of continuing. */
  private isKnown(): boolean {
    const { sent, continued } = this;
    return continued !== undefined && sent[0]!.messageId === continued.id && sent.length <= continued.chunks;
  }
}
