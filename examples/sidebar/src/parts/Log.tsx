import { useEffect, useMemo, useState } from "react";
import type { Api } from "../api/client.ts";
import { MARK_READ } from "../api/operations.ts";
import type { Outgoing } from "../api/outbox.ts";
import type { Message } from "../api/types.ts";
import type { Change } from "../hooks/conversation.ts";
import { useScroll } from "../hooks/scroll.ts";
import type { Conversation } from "../state/conversation.ts";
import { announce } from "./Announcements.tsx";
import { ApprovalCard } from "./ApprovalCard.tsx";
import { Icon } from "./icons.tsx";
import { Echo, MessageItem, nameOf } from "./MessageItem.tsx";
import { dayOf } from "./time.ts";
import { toolsOf } from "./tools.ts";

interface Props {
  api: Api;
  conversation: Conversation;
  outgoing: Outgoing[];
  wanted: number | null;
  change: (next: Change) => void;
  loadEarlier: (before: string) => Promise<void>;
}

/** The messages, oldest first; scrolling to the top loads the page above. */
export function Log({ api, conversation, outgoing, wanted, change, loadEarlier }: Props) {
  const { messages, approvals, above } = conversation;
  const scroll = useScroll(messages, outgoing.length, above, loadEarlier, wanted);
  const tools = useMemo(() => toolsOf(messages, approvals), [messages, approvals]);
  const stray = approvals.filter((approval) => approval.status === "PENDING" && !tools.has(approval.toolUseId ?? ""));
  useReading(api, conversation, scroll.atEnd, change);
  useAnnouncing(messages);

  return (
    <div className="log-place">
      <div className="log" ref={scroll.box} role="region" aria-label="Messages" tabIndex={0}>
        {above && (
          <button type="button" className="more" ref={scroll.top} onClick={scroll.earlier}>
            Earlier messages
          </button>
        )}
        <ol ref={scroll.content}>
          {messages.map((message, at) => (
            <MessageItem
              key={identity(message)}
              api={api}
              message={message}
              day={dayBetween(messages[at - 1], message)}
              tools={tools}
              wanted={message.sequence === wanted}
              change={change}
            />
          ))}
          {outgoing.map((one) => (
            <Echo key={one.key} outgoing={one} />
          ))}
          {stray.map((approval) => (
            <li key={approval.id} className="message">
              <ApprovalCard api={api} approval={approval} change={change} />
            </li>
          ))}
        </ol>
      </div>
      {!scroll.atEnd && (
        <button type="button" className="to-end" onClick={scroll.toEnd}>
          <Icon name="down" /> Newest
        </button>
      )}
    </div>
  );
}

/** The same for a sent message and its event: a key is unique among the messages without an agent. */
function identity({ agent, key, id }: Message): string {
  return agent ? id : (key ?? id);
}

function dayBetween(before: Message | undefined, message: Message): string | null {
  const day = dayOf(message.createdAt);
  return before && dayOf(before.createdAt) === day ? null : day;
}

/** Marks the conversation as read while the window has the focus and the newest message is visible. */
function useReading(api: Api, { session, messages }: Conversation, atEnd: boolean, change: (next: Change) => void) {
  const [looking, setLooking] = useState(!document.hidden);
  useEffect(() => {
    const look = () => setLooking(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);

  const newest = messages.at(-1)?.sequence ?? 0;
  const unread = messages.some(({ sequence, role }) => sequence > session.lastReadSequence && role !== "USER");
  useEffect(() => {
    if (!unread || !looking || !atEnd) return;
    const marking = setTimeout(async () => {
      const marked = await api.act(MARK_READ, { id: session.id, upToSequence: newest }).catch(() => null);
      if (marked) change((now) => ({ ...now, session: marked.session }));
    }, 300);
    return () => clearTimeout(marking);
  }, [api, session.id, newest, unread, looking, atEnd, change]);
}

/** Announces a message when it is complete: not each chunk of a streaming one. */
function useAnnouncing(messages: Message[]) {
  const newest = messages.at(-1);
  const [opened] = useState(newest?.sequence ?? 0);
  const whole = newest && newest.sequence > opened && newest.role !== "USER" && newest.status !== "STREAMING";
  const words = whole ? `${nameOf(newest)}: ${newest.text.slice(0, 500)}` : "";
  useEffect(() => {
    if (words) announce(words);
  }, [words]);
}
