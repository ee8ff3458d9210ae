import type { Api } from "../api/client.ts";
import { EXTEND_MESSAGE, FINISH_MESSAGE, START_MESSAGE } from "../api/operations.ts";
import { patiently } from "../api/patiently.ts";
import { newKey } from "../keys.ts";
import { length } from "../state/codepoints.ts";

/**
 * A message that is written while others read it. Every step may be sent twice without harm, so each is sent until it
 * is answered: the key takes the same message over again, an offset that is written already stays as it is.
 * Throws Refused when it is no longer ours to write: stopped, deleted, taken over.
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
    const { message, fence } = await patiently(() => api.act(START_MESSAGE, { sessionId, key, agentKey }), signal);
    return new Stream(api, signal, message.id, fence);
  }

  async extend(text: string): Promise<void> {
    const { id, fence } = this;
    const offset = length(this.text); // in code points
    await patiently(() => this.api.act(EXTEND_MESSAGE, { id, fence, offset, text }), this.signal);
    this.text += text;
  }

  /** `document`, as an agent framework writes it down, takes the place of the streamed text. */
  async finish(document?: object): Promise<void> {
    const { id, fence } = this;
    const raw = document && { raw: JSON.stringify(document) };
    const key = newKey();
    await patiently(() => this.api.act(FINISH_MESSAGE, { id, fence, ...raw }, key), this.signal);
  }
}
