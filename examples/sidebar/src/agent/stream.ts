import type { Api } from "../api/client.ts";
import { EXTEND_MESSAGE, FINISH_MESSAGE, START_MESSAGE } from "../api/operations.ts";
import { retry } from "../api/retry.ts";
import { newKey } from "../keys.ts";
import { length } from "../state/codepoints.ts";

/**
 * A streaming message. Every step is idempotent, so each is sent until it is answered: the key finds the same message
 * again, and text at an offset that is already written changes nothing.
 * Throws Refused when this producer may no longer write: the message was stopped, deleted or taken over.
 */
export class Stream {
  text = "";

  private constructor(
    private readonly api: Api,
    private readonly signal: AbortSignal,
    readonly id: string,
    private readonly fence: string,
  ) {}

  static async start(api: Api, sessionId: string, agentKey: string, signal: AbortSignal): Promise<Stream> {
    const key = newKey();
    const { message, fence } = await retry(() => api.act(START_MESSAGE, { sessionId, key, agentKey }), signal);
    return new Stream(api, signal, message.id, fence);
  }

  async extend(text: string): Promise<void> {
    const { id, fence } = this;
    const offset = length(this.text); // in code points
    await retry(() => this.api.act(EXTEND_MESSAGE, { id, fence, offset, text }), this.signal);
    this.text += text;
  }

  /** `document`, the message of an agent framework, replaces the streamed text. */
  async finish(document?: object): Promise<void> {
    const { id, fence } = this;
    const raw = document && { raw: JSON.stringify(document) };
    const key = newKey();
    await retry(() => this.api.act(FINISH_MESSAGE, { id, fence, ...raw }, key), this.signal);
  }
}
