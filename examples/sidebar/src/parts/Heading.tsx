import type { Session } from "@colloquy/client";
import { useClient } from "@colloquy/react";
import { type FormEvent, type KeyboardEvent, useRef, useState } from "react";
import { announce } from "./Announcements.tsx";
import { Icon } from "./icons.tsx";
import { titleOf } from "./SessionRow.tsx";

/** The conversation's name, and the actions on the whole conversation. */
export function Heading({ session }: { session: Session }) {
  const client = useClient();
  const [renaming, setRenaming] = useState(false);
  const pencil = useRef<HTMLButtonElement>(null);
  const archived = session.archivedAt !== null;

  async function tell(done: string, act: () => Promise<unknown>) {
    try {
      await act();
      announce(done);
    } catch (error) {
      announce((error as Error).message);
    }
  }

  function ended(title?: string) {
    setRenaming(false);
    requestAnimationFrame(() => pencil.current?.focus());
    if (title && title !== session.title) void tell("Renamed", () => client.updateSession(session.id, { title }));
  }

  const toggle = () =>
    archived
      ? tell("Back in the list", () => client.restoreSession(session.id))
      : tell("Archived", () => client.archiveSession(session.id));

  return (
    <header className="heading">
      <a className="icon-button back" href="#" title="All conversations">
        <Icon name="back" />
        <span className="unseen">All conversations</span>
      </a>
      {renaming ? <TitleForm title={session.title} onEnd={ended} /> : <h2>{titleOf(session)}</h2>}
      <button type="button" className="icon-button" ref={pencil} onClick={() => setRenaming(true)} title="Rename">
        <Icon name="pencil" />
        <span className="unseen">Rename</span>
      </button>
      <button type="button" className="icon-button" onClick={() => void toggle()} title={archived ? "Restore" : "Archive"}>
        <Icon name={archived ? "restore" : "archive"} />
        <span className="unseen">{archived ? "Restore" : "Archive"}</span>
      </button>
    </header>
  );
}

function TitleForm({ title, onEnd }: { title: string; onEnd: (title?: string) => void }) {
  const [text, setText] = useState(title);
  function submit(event: FormEvent) {
    event.preventDefault();
    onEnd(text.trim());
  }
  return (
    <form className="title-form" onSubmit={submit}>
      <input
        aria-label="Name of the conversation"
        autoFocus
        maxLength={255}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event: KeyboardEvent) => event.key === "Escape" && onEnd()}
        onFocus={(event) => event.target.select()}
      />
      <button type="submit" className="primary">
        Save
      </button>
    </form>
  );
}
