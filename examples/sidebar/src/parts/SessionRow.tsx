import type { Session } from "@colloquy/client";
import { memo } from "react";
import { addressOf } from "../hooks/route.ts";
import { shortTime } from "./time.ts";
import { Writing } from "./Writing.tsx";

export const titleOf = ({ title }: { title: string }) => title || "New conversation";

export const SessionRow = memo(function SessionRow({ session, open }: { session: Session; open: boolean }) {
  const { unreadCount, pendingApprovalCount, lastMessage, streaming } = session;
  return (
    <li>
      <a href={addressOf(session.id)} aria-current={open ? "page" : undefined} data-unread={unreadCount > 0 || undefined}>
        <span className="row-title">{titleOf(session)}</span>
        <time dateTime={session.lastActivityAt}>{shortTime(session.lastActivityAt)}</time>
        <span className="row-preview">
          {streaming ? (
            <Writing />
          ) : pendingApprovalCount > 0 ? (
            <span className="row-waits">Waits for approval</span>
          ) : lastMessage ? (
            lastMessage.text.slice(0, 120) || "…"
          ) : (
            "Nothing said yet"
          )}
        </span>
        {unreadCount > 0 && (
          <span className="badge">
            {unreadCount}
            <span className="unseen"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
});
