/** A token, or a function that returns one; the function is called again before the token expires. */
export type TokenProvider = string | (() => string | Promise<string>);

const MARGIN_MS = 30_000; // a token is renewed so long before it expires, or after four fifths of a shorter life

/** The token of a client: kept until shortly before its `exp`, or until the server refuses it. */
export class Tokens {
  /** The time at which the token is renewed, in milliseconds as of Date.now(). */
  renewAt = Infinity;
  private current: Promise<string> | undefined;

  constructor(private readonly provider: TokenProvider) {}

  /** False for a fixed token: after a refusal another attempt has the same one. */
  get renewable(): boolean {
    return typeof this.provider === "function";
  }

  get(): Promise<string> {
    if (!this.current || Date.now() >= this.renewAt) this.current = this.renew();
    return this.current;
  }

  /** Forgets the token, so that the next request calls the provider. */
  refuse(): void {
    if (this.renewable) this.current = undefined;
  }

  private async renew(): Promise<string> {
    this.renewAt = Infinity; // calls during the renewal share it
    try {
      const token = typeof this.provider === "function" ? await this.provider() : this.provider;
      const left = expiry(token) - Date.now();
      if (this.renewable && left > 0) this.renewAt = Date.now() + left - Math.min(MARGIN_MS, left / 5);
      return token;
    } catch (error) {
      this.current = undefined;
      throw error;
    }
  }
}

/** The `exp` of a JWT in milliseconds; Infinity for a token without one. */
function expiry(token: string): number {
  try {
    const payload = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const { exp } = JSON.parse(atob(payload)) as { exp?: number };
    return exp === undefined ? Infinity : exp * 1000;
  } catch {
    return Infinity; // opaque: only the server can read it
  }
}
