import { type Sessions, useConnection, useClient, useSearch } from "@colloquy/react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTitles } from "../hooks/titles.ts";
import { Icon, Logo } from "./icons.tsx";
import { SearchResults } from "./SearchResults.tsx";
import { SessionRow } from "./SessionRow.tsx";

interface Props {
  list: Sessions;
  archived: boolean;
  onArchived: (archived: boolean) => void;
  open: string | undefined;
  onCreate: () => Promise<void>;
}

export function Navigation({ list, archived, onArchived, open, onCreate }: Props) {
  const [words, setWords] = useState("");
  const wanted = words.trim();
  const found = useSearch(wanted);
  const titled = useTitles(wanted);
  const subject = useSubject();
  const navigation = useRef<HTMLElement>(null);

  return (
    <nav className="navigation" aria-label="Conversations" ref={navigation} onKeyDown={(event) => moveFocus(event, navigation.current)}>
      <header>
        <h1>
          <Logo />
          Colloquy
        </h1>
        <button type="button" className="icon-button" onClick={() => void onCreate()} title="New conversation">
          <Icon name="add" />
          <span className="unseen">New conversation</span>
        </button>
      </header>
      <div className="search" role="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search conversations and messages"
          placeholder="Search"
          value={words}
          onChange={(event) => setWords(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && setWords("")}
        />
        {words && (
          <button type="button" className="icon-button" onClick={() => setWords("")} title="End the search">
            <Icon name="close" />
            <span className="unseen">End the search</span>
          </button>
        )}
      </div>
      {wanted ? (
        <SearchResults found={found} titled={titled} words={wanted} open={open} />
      ) : (
        <>
          <div className="shelves" role="group" aria-label="Which conversations">
            {[false, true].map((shelf) => (
              <button key={String(shelf)} type="button" aria-pressed={archived === shelf} onClick={() => onArchived(shelf)}>
                {shelf ? "Archive" : "Active"}
              </button>
            ))}
          </div>
          <List list={list} archived={archived} open={open} />
        </>
      )}
      <footer>
        <span title="The owner of all this: the token's sub">{subject}</span>
        <a href="graphql">GraphiQL</a>
      </footer>
    </nav>
  );
}

function List({ list, archived, open }: Pick<Props, "list" | "archived" | "open">) {
  const { status, sessions, hasMore, loadMore } = list;
  if (status === "loading") return <ul className="sessions" aria-busy="true" />;
  if (!sessions.length) return <p className="nothing">{archived ? "The archive is empty." : "No conversations yet."}</p>;
  return (
    <ul className="sessions">
      {sessions.map((session) => (
        <SessionRow key={session.id} session={session} open={session.id === open} />
      ))}
      {hasMore && (
        <li>
          <button type="button" className="more" onClick={() => void loadMore().catch(() => {})}>
            Show more
          </button>
        </li>
      )}
    </ul>
  );
}

/** The owner of everything here; empty until the server has been reached. */
function useSubject(): string {
  const client = useClient();
  const [subject, setSubject] = useState("");
  const isConnected = useConnection() === "connected";
  useEffect(() => {
    if (isConnected && !subject) client.viewer().then((viewer) => setSubject(viewer.subject), () => {});
  }, [client, isConnected, subject]);
  return subject;
}

/** The arrow keys move the focus through the list, in fewer steps than Tab. */
function moveFocus(event: KeyboardEvent, navigation: HTMLElement | null) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const stops = [...(navigation?.querySelectorAll<HTMLElement>("input[type=search], .sessions a, .sessions button") ?? [])];
  const at = stops.indexOf(document.activeElement as HTMLElement);
  if (!step || at < 0) return;
  event.preventDefault();
  stops[Math.max(0, Math.min(stops.length - 1, at + step))]?.focus();
}
