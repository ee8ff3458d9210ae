// The state of the list of conversations: pages of the server, and later events applied to them. Pure functions.

import type { Session } from "../api/types.ts";

export interface List {
  archived: boolean;
  sessions: Session[];
  /** Where the next page starts; null when there is none. */
  below: string | null;
}

/** Puts a changed session where it belongs in the order, or removes it from this list. */
export function withSession(list: List, session: Session): List {
  const others = list.sessions.filter(({ id }) => id !== session.id);
  const belongs = !session.deletedAt && (session.archivedAt !== null) === list.archived;
  return { ...list, sessions: belongs ? sorted([...others, session]) : others };
}

export function without(list: List, sessionId: string): List {
  return { ...list, sessions: list.sessions.filter(({ id }) => id !== sessionId) };
}

export function withMore(list: List, sessions: Session[], below: string | null): List {
  const known = new Set(list.sessions.map(({ id }) => id));
  const more = sessions.filter(({ id }) => !known.has(id));
  return { ...list, sessions: sorted([...list.sessions, ...more]), below };
}

/** RFC 3339 in UTC with microseconds: the texts sort like the times. */
function sorted(sessions: Session[]): Session[] {
  return sessions.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
}
