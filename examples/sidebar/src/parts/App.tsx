import { ColloquyClient, Outbox } from "@colloquy/client";
import { ColloquyProvider, useClient, useSessions } from "@colloquy/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { type Config, renewed } from "../config.ts";
import { useAgent } from "../hooks/agent.ts";
import { addressOf, useRoute } from "../hooks/route.ts";
import { Announcements, announce } from "./Announcements.tsx";
import { Banner } from "./Banner.tsx";
import { ConversationPane } from "./ConversationPane.tsx";
import { Navigation } from "./Navigation.tsx";
import { TokenForm } from "./TokenForm.tsx";

export function App({ endpoint, token: given }: Config) {
  const [typed, setTyped] = useState<string | null>(null);
  const context = useMemo(() => {
    const token = typed ?? (given && renewed(given));
    if (!token) return null;
    const client = new ColloquyClient({ url: endpoint, token });
    return { client, outbox: new Outbox(client) };
  }, [endpoint, given, typed]);
  if (!context) return <TokenForm onToken={setTyped} />;
  return (
    <ColloquyProvider {...context}>
      <Sidebar outbox={context.outbox} />
    </ColloquyProvider>
  );
}

const toMessage = () => document.getElementById("message")?.focus();
const WIDE = matchMedia("(min-width: 45rem)");

function Sidebar({ outbox }: { outbox: Outbox }) {
  const client = useClient();
  const [archived, setArchived] = useState(false);
  const list = useSessions({ filter: { archived } });
  const route = useRoute();
  const agent = useAgent(client, outbox);
  const { sessions, unreadSessionCount } = list;

  const newest = sessions[0]?.id;
  useEffect(() => {
    // A wide page opens the newest conversation beside the list.
    if (!location.hash && newest && WIDE.matches) location.replace(addressOf(newest));
  }, [newest]);

  const create = useCallback(async () => {
    const empty = sessions.find(({ messageCount, title }) => messageCount === 0 && !title);
    const { id } = empty ?? (await client.createSession());
    location.hash = addressOf(id);
    announce("New conversation");
    requestAnimationFrame(toMessage);
  }, [client, sessions]);

  useEffect(() => {
    document.title = unreadSessionCount ? `(${unreadSessionCount}) Colloquy` : "Colloquy";
  }, [unreadSessionCount]);

  return (
    <div className="app" data-open={route ? "" : undefined}>
      <button type="button" className="skip" onClick={toMessage}>
        Go to the field for writing
      </button>
      <Banner expired={list.error?.code === "UNAUTHENTICATED"} />
      <Navigation
        list={list}
        archived={archived}
        onArchived={setArchived}
        open={route?.sessionId}
        onCreate={create}
      />
      {route ? (
        <ConversationPane key={route.sessionId} id={route.sessionId} wanted={route.sequence}>
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
