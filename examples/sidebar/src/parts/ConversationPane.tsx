import { type ReactNode, useEffect } from "react";
import type { Api } from "../api/client.ts";
import { CANCEL_MESSAGE } from "../api/operations.ts";
import type { Outbox } from "../api/outbox.ts";
import type { Message, Session } from "../api/types.ts";
import { type Change, useConversation } from "../hooks/conversation.ts";
import { useOutgoing } from "../hooks/outgoing.ts";
import { withMessage, writing } from "../state/conversation.ts";
import { Composer } from "./Composer.tsx";
import { Heading } from "./Heading.tsx";
import { Log } from "./Log.tsx";

interface Props {
  api: Api;
  outbox: Outbox;
  id: string;
  /** The sequence of a message to show, as the search has found it. */
  wanted: number | null;
  onChanged: (session: Session) => void;
  onSend: (text: string) => void;
  /** What stands below the field for writing. */
  children: ReactNode;
}

export function ConversationPane({ api, outbox, id, wanted, onChanged, onSend, children }: Props) {
  const { conversation, change, loadEarlier } = useConversation(api, id);
  const session = conversation?.session;
  useEffect(() => {
    if (session) onChanged(session);
  }, [session, onChanged]);

  const outgoing = useOutgoing(outbox, id, conversation, change);

  if (conversation === null || conversation?.gone) return <Gone />;
  if (!conversation) return <main className="pane" aria-busy="true" />;
  return (
    <main className="pane">
      <Heading api={api} session={conversation.session} onChanged={onSession(change)} />
      <Log api={api} conversation={conversation} outgoing={outgoing} wanted={wanted} change={change} loadEarlier={loadEarlier} />
      <Composer onSend={onSend} onStop={stopping(api, writing(conversation), change)}>
        {children}
      </Composer>
    </main>
  );
}

function onSession(change: (next: Change) => void) {
  return (session: Session) => change((now) => ({ ...now, session }));
}

/** Stops the streaming message: the server refuses its producer's next text. */
function stopping(api: Api, message: Message | undefined, change: (next: Change) => void) {
  if (!message) return undefined;
  return async () => {
    const stopped = await api.act(CANCEL_MESSAGE, { id: message.id }).catch(() => null); // it may have ended meanwhile
    if (stopped) change((now) => withMessage(now, stopped.message));
  };
}

function Gone() {
  return (
    <main className="pane empty">
      <p>This conversation is not there. It may have been deleted.</p>
      <a href="#">All conversations</a>
    </main>
  );
}
