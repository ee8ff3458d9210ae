import type { Message, Session } from "@colloquy/client";
import type { Conversation } from "@colloquy/react";
import { useEffect, useMemo, useState } from "react";
import { useOffline } from "../hooks/offline.ts";
import { useScroll } from "../hooks/scroll.ts";
import { announce } from "./Announcements.tsx";
import { ApprovalCard } from "./ApprovalCard.tsx";
import { Icon } from "./icons.tsx";
import { Echo, MessageItem, nameOf } from "./MessageItem.tsx";
import { dayOf } from "./time.ts";
import { toolsOf } from "./tools.ts";

interface Props {
  conversation: Conversation;
  session: Session;
  wanted: number | null;
}

/** The messages, oldest first; scrolling to the top loads the page above. */
export function Log({ conversation, session, wanted }: Props) {
  const { messages, approvals, outgoing, hasEarlier, decide } = conversation;
  const scroll = useScroll(conversation, wanted);
  const isOffline = useOffline();
  const tools = useMemo(() => toolsOf(messages, approvals), [messages, approvals]);
  const stray = approvals.filter((approval) => approval.status === "PENDING" && !tools.has(approval.toolUseId ?? ""));
  useReading(conversation, session, scroll.atEnd);
  useAnnouncing(messages);

  return (
    <div className="log-place">
      <div className="log" ref={scroll.box} role="region" aria-label="Messages" tabIndex={0}>
        {hasEarlier && (
          <button type="button" className="more" ref={scroll.top} onClick={scroll.earlier}>
            Earlier messages
          </button>
        )}
        <ol ref={scroll.content}>
          {messages.map((message, at) => (
            <MessageItem
              key={identity(message)}
              message={message}
              day={dayBetween(messages[at - 1], message)}
              tools={tools}
              wanted={message.sequence === wanted}
              onDecide={decide}
            />
          ))}
          {outgoing.map((one) => (
            <Echo key={one.key} outgoing={one} isOffline={isOffline} />
          ))}
          {stray.map((approval) => (
            <li key={approval.id} className="message">
              <ApprovalCard approval={approval} onDecide={decide} />
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
function useReading({ messages, markRead }: Conversation, { lastReadSequence }: Session, atEnd: boolean) {
  const [looking, setLooking] = useState(!document.hidden);
  useEffect(() => {
    const look = () => setLooking(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);

  const newest = messages.at(-1)?.sequence;
  const unread = messages.some(({ sequence, role }) => sequence > lastReadSequence && role !== "USER");
  useEffect(() => {
    if (!unread || !looking || !atEnd) return;
    const marking = setTimeout(() => void markRead().catch(() => {}), 300); // the next message tries again
    return () => clearTimeout(marking);
  }, [markRead, newest, unread, looking, atEnd]);
}

/** Announces a message when it is complete: not each chunk of a streaming one. */
function useAnnouncing(messages: readonly Message[]) {
  const newest = messages.at(-1);
  const [opened] = useState(newest?.sequence ?? 0);
  const whole = newest && newest.sequence > opened && newest.role !== "USER" && newest.status !== "STREAMING";
  const words = whole ? `${nameOf(newest)}: ${newest.text.slice(0, 500)}` : "";
  useEffect(() => {
    if (words) announce(words);
  }, [words]);
}
