/** A value that can be observed: the form that every store of this package has. */
export interface Readable<T> {
  /** The current value, the same object until it changes. */
  getSnapshot(): T;
  /** Calls `listener` after each change; returns the function that ends this. */
  subscribe(listener: () => void): () => void;
}

export class Value<T> implements Readable<T> {
  private readonly listeners = new Set<() => void>();

  /** `watched` is called when the first listener comes, and what it returns when the last one has left. */
  constructor(
    private current: T,
    private readonly watched?: () => () => void,
  ) {}

  private unwatched: (() => void) | undefined;

  readonly getSnapshot = (): T => this.current;

  readonly subscribe = (listener: () => void): (() => void) => {
    const own = () => listener(); // the same function may subscribe twice
    this.listeners.add(own);
    if (this.listeners.size === 1) this.unwatched = this.watched?.();
    return () => {
      if (this.listeners.delete(own) && !this.listeners.size) this.unwatched?.();
    };
  };

  set(next: T): void {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const listener of [...this.listeners]) listener();
  }

  update(change: (now: T) => T): void {
    this.set(change(this.current));
  }
}
