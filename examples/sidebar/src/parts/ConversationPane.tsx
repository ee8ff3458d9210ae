import { useAnswer, useConversation } from "@colloquy/react";
import type { ReactNode } from "react";
import { Composer } from "./Composer.tsx";
import { Heading } from "./Heading.tsx";
import { Log } from "./Log.tsx";

const PAGE_SIZE = 30;

interface Props {
  id: string;
  /** The sequence of a message to show, as the search has found it. */
  wanted: number | null;
  /** What stands below the field for writing. */
  children: ReactNode;
}

export function ConversationPane({ id, wanted, children }: Props) {
  const conversation = useConversation(id, PAGE_SIZE);
  const { message, stop } = useAnswer(conversation);
  const { status, session } = conversation;

  if (status === "absent") return <Gone />;
  if (!session) return <main className="pane" aria-busy="true" />;
  return (
    <main className="pane">
      <Heading session={session} />
      <Log conversation={conversation} session={session} wanted={wanted} />
      {/* The answer may have ended before the stop. */}
      <Composer onSend={conversation.send} onStop={message ? () => void stop().catch(() => {}) : undefined}>
        {children}
      </Composer>
    </main>
  );
}

function Gone() {
  return (
    <main className="pane empty">
      <p>This conversation is not there. It may have been deleted.</p>
      <a href="#">All conversations</a>
    </main>
  );
}
