import type { Session } from "@colloquy/client";
import type { Search } from "@colloquy/react";
import { addressOf } from "../hooks/route.ts";
import { SessionRow, titleOf } from "./SessionRow.tsx";

interface Props {
  found: Search;
  /** The conversations with the words in their title. */
  titled: readonly Session[];
  words: string;
  open: string | undefined;
}

export function SearchResults({ found: { hits, searching }, titled: sessions, words, open }: Props) {
  const count = sessions.length + hits.length;
  if (searching && !count) return <ul className="sessions" aria-busy="true" />;
  return (
    <div className="sessions">
      <p className="unseen" role="status">
        {count ? `${count} found` : "Nothing found"}
      </p>
      {!count && <p className="nothing">Nothing found for “{words}”.</p>}
      {sessions.length > 0 && (
        <>
          <h2>Conversations</h2>
          <ul>
            {sessions.map((session) => (
              <SessionRow key={session.id} session={session} open={session.id === open} />
            ))}
          </ul>
        </>
      )}
      {hits.length > 0 && (
        <>
          <h2>Messages</h2>
          <ul>
            {hits.map(({ node, snippet }) => (
              <li key={node.id}>
                <a href={addressOf(node.session.id, node.sequence)} className="hit">
                  <span className="row-title">{titleOf(node.session)}</span>
                  <span className="row-snippet">
                    {snippet.map(({ text, matched }, at) => (matched ? <mark key={at}>{text}</mark> : text))}
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
