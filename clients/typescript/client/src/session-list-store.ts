import type { ColloquyClient } from "./client.ts";
import type { ColloquyError } from "./errors.ts";
import { type Handlers, follow } from "./follow.ts";
import { FollowingStore } from "./following-store.ts";
import { type SessionFilter, ViewerEvents } from "./generated.ts";
import type { Session, ViewerEvent } from "./types.ts";

export interface SessionListSnapshot {
  readonly status: "loading" | "ready";
  /** The last active first. */
  readonly sessions: readonly Session[];
  readonly hasMore: boolean;
  /** Sessions of the viewer with unread messages, whether or not they are in this list. */
  readonly unreadSessionCount: number;
  /** Why reading or following fails at present. */
  readonly error: ColloquyError | null;
}

export interface SessionListOptions {
  filter?: Pick<SessionFilter, "archived" | "agentType">;
  /** Sessions of a page, 1 to 100; 30 by default. */
  pageSize?: number;
}

const COUNT_MS = 500; // the viewer's count is read at most once in this time

/** The list of sessions, current while it is subscribed to. */
export class SessionListStore extends FollowingStore<SessionListSnapshot, ViewerEvent> {
  private after: string | null = null;
  private more: Promise<void> | undefined;
  private counting: ReturnType<typeof setTimeout> | undefined;
  private readonly filter: NonNullable<SessionListOptions["filter"]>;
  private readonly pageSize: number;

  constructor(client: ColloquyClient, { filter = {}, pageSize = 30 }: SessionListOptions = {}) {
    super(client, { status: "loading", sessions: [], hasMore: false, unreadSessionCount: 0, error: null });
    this.filter = filter;
    this.pageSize = pageSize;
  }

  /** Loads the next page; calls during the load share it. */
  loadMore(): Promise<void> {
    this.more ??= this.readMore().finally(() => (this.more = undefined));
    return this.more;
  }

  protected async read(signal: AbortSignal): Promise<string | null> {
    const { filter, pageSize: first } = this;
    const { nodes, pageInfo, viewer } = await this.client.sessions({ filter, first }, { signal });
    if (signal.aborted) return null;
    this.after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    const { unreadSessionCount } = viewer;
    this.patch({ status: "ready", sessions: nodes, hasMore: this.after !== null, unreadSessionCount });
    return viewer.eventCursor;
  }

  protected apply(event: ViewerEvent): void {
    if (event.__typename === "SessionChanged") this.put(event.session);
    if (event.__typename === "SessionRemoved") this.remove(event.sessionId);
  }

  protected follow(after: string, handlers: Handlers<ViewerEvent>): () => void {
    return follow(this.client.following, ViewerEvents, { after }, handlers);
  }

  protected override start(): () => void {
    const stop = super.start();
    return () => {
      stop();
      clearTimeout(this.counting);
      this.counting = undefined;
    };
  }

  private put(session: Session): void {
    const { sessions } = this.getSnapshot();
    const existing = sessions.find(({ id }) => id === session.id);
    const others = sessions.filter((other) => other !== existing);
    const oldest = sessions.at(-1);
    const onLaterPage = this.after !== null && oldest && session.lastActivityAt < oldest.lastActivityAt;
    const shown = this.belongs(session) && (existing !== undefined || !onLaterPage);
    this.patch({ sessions: shown ? sorted([...others, session]) : others });
    if (!existing || existing.unreadCount > 0 !== session.unreadCount > 0 || !shown) this.count();
  }

  private remove(sessionId: string): void {
    this.patch({ sessions: this.getSnapshot().sessions.filter(({ id }) => id !== sessionId) });
    this.count();
  }

  private belongs({ deletedAt, archivedAt, agentType }: Session): boolean {
    const { archived, agentType: wanted } = this.filter;
    return !deletedAt && (archivedAt !== null) === !!archived && (wanted == null || wanted === agentType);
  }

  private async readMore(): Promise<void> {
    const { after, filter, pageSize: first } = this;
    if (after === null) return;
    const { nodes, pageInfo } = await this.client.sessions({ filter, first, after });
    if (this.after !== after) return; // the list was read again
    this.after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    const { sessions } = this.getSnapshot();
    const known = new Set(sessions.map(({ id }) => id));
    const added = nodes.filter(({ id }) => !known.has(id));
    this.patch({ sessions: sorted([...sessions, ...added]), hasMore: this.after !== null });
  }

  /** Reads the viewer's count soon; the events of one moment share the read. */
  private count(): void {
    this.counting ??= setTimeout(() => {
      this.counting = undefined;
      this.client.viewer().then(
        ({ unreadSessionCount }) => this.patch({ unreadSessionCount }),
        () => {}, // the next change reads it again
      );
    }, COUNT_MS);
  }
}

/** RFC 3339 in UTC with microseconds: the texts sort like the times. */
function sorted(sessions: Session[]): Session[] {
  return sessions.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
}
