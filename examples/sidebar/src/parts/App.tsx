import { useCallback, useEffect, useMemo, useState } from "react";
import { Api } from "../api/client.ts";
import { CREATE_SESSION } from "../api/operations.ts";
import { Outbox } from "../api/outbox.ts";
import { useAgent } from "../hooks/agent.ts";
import { useList } from "../hooks/list.ts";
import { addressOf, useRoute } from "../hooks/route.ts";
import { newKey } from "../keys.ts";
import { Announcements, announce } from "./Announcements.tsx";
import { Banner } from "./Banner.tsx";
import { ConversationPane } from "./ConversationPane.tsx";
import { Navigation } from "./Navigation.tsx";
import { TokenForm } from "./TokenForm.tsx";

export function App({ endpoint, token: given }: { endpoint: string; token: string | null }) {
  const [token, setToken] = useState(given);
  const api = useMemo(() => token && new Api(endpoint, token), [endpoint, token]);
  return api ? <Sidebar api={api} /> : <TokenForm onToken={setToken} />;
}

const toMessage = () => document.getElementById("message")?.focus();
const WIDE = matchMedia("(min-width: 45rem)");

function Sidebar({ api }: { api: Api }) {
  const [archived, setArchived] = useState(false);
  const { list, subject, changed, more } = useList(api, archived);
  const route = useRoute();
  const agent = useAgent(api);
  const outbox = useMemo(() => new Outbox(api), [api]);

  const send = (sessionId: string, text: string) =>
    outbox.send(sessionId, text).then(
      () => agent.ask(sessionId, text),
      () => {}, // the message itself shows why
    );

  const newest = list?.sessions[0]?.id;
  useEffect(() => {
    // A wide page opens the newest conversation beside the list.
    if (!location.hash && newest && WIDE.matches) location.replace(addressOf(newest));
  }, [newest]);

  const create = useCallback(async () => {
    const empty = list?.sessions.find(({ messageCount, title }) => messageCount === 0 && !title);
    const { session } = empty ? { session: empty } : await api.act(CREATE_SESSION, { key: newKey() });
    changed(session);
    location.hash = addressOf(session.id);
    announce("New conversation");
    requestAnimationFrame(toMessage);
  }, [api, list, changed]);

  const unread = list?.sessions.filter(({ unreadCount }) => unreadCount > 0).length ?? 0;
  useEffect(() => {
    document.title = unread && !archived ? `(${unread}) Colloquy` : "Colloquy";
  }, [unread, archived]);

  return (
    <div className="app" data-open={route ? "" : undefined}>
      <button type="button" className="skip" onClick={toMessage}>
        Go to the field for writing
      </button>
      <Banner api={api} />
      <Navigation
        api={api}
        list={list}
        subject={subject}
        archived={archived}
        onArchived={setArchived}
        open={route?.sessionId}
        onCreate={create}
        onMore={more}
      />
      {route ? (
        <ConversationPane
          key={route.sessionId}
          api={api}
          outbox={outbox}
          id={route.sessionId}
          wanted={route.sequence}
          onChanged={changed}
          onSend={(text) => void send(route.sessionId, text)}
        >
          <label className="agent">
            <input type="checkbox" checked={agent.answers} onChange={agent.toggle} />
            The demo agent answers what is written in this window
          </label>
        </ConversationPane>
      ) : (
        <main className="pane empty">
          <p>Choose a conversation, or start a new one.</p>
        </main>
      )}
      <Announcements />
    </div>
  );
}
