import { useCallback, useEffect } from "react";
import type { Api } from "../api/client.ts";
import type { Session } from "../api/types.ts";
import { useConversation } from "../hooks/conversation.ts";
import { useOutgoing } from "../hooks/outgoing.ts";
import type { Conversation } from "../state/conversation.ts";
import { Composer } from "./Composer.tsx";
import { Heading } from "./Heading.tsx";
import { Log } from "./Log.tsx";

interface Props {
  api: Api;
  id: string;
  /** The sequence of a message to show, as the search has found it. */
  wanted: number | null;
  onChanged: (session: Session) => void;
}

export function ConversationPane({ api, id, wanted, onChanged }: Props) {
  const { conversation, change, loadEarlier } = useConversation(api, id);
  const session = conversation?.session;
  useEffect(() => {
    if (session) onChanged(session);
  }, [session, onChanged]);

  const sent = useCallback(() => {}, []);
  const { outgoing, send } = useOutgoing(api, id, change, sent);

  if (conversation === null || conversation?.gone) return <Gone />;
  if (!conversation) return <main className="pane" aria-busy="true" />;
  return (
    <main className="pane">
      <Heading api={api} session={conversation.session} onChanged={onSession(change)} />
      <Log api={api} conversation={conversation} outgoing={outgoing} wanted={wanted} change={change} loadEarlier={loadEarlier} />
      <Composer onSend={send} />
    </main>
  );
}

function onSession(change: (next: (now: Conversation) => Conversation) => void) {
  return (session: Session) => change((now) => ({ ...now, session }));
}

function Gone() {
  return (
    <main className="pane empty">
      <p>This conversation is not there. It may have been deleted.</p>
      <a href="#">All conversations</a>
    </main>
  );
}
