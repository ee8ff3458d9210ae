import { type ContentBlock, contentOf, type Message, type Outgoing } from "@colloquy/client";
import type { Conversation } from "@colloquy/react";
import { memo } from "react";
import type { BlockOf } from "./blocks.ts";
import { clockTime } from "./time.ts";
import { ResultCard, shown, ToolCard } from "./ToolCard.tsx";
import type { Tool } from "./tools.ts";
import { Writing } from "./Writing.tsx";

const ROLES = { USER: "You", ASSISTANT: "Assistant", SYSTEM: "Instructions", TOOL: "Tool" };
const MARKS = { STREAMING: null, COMPLETE: null, CANCELLED: "Stopped", FAILED: "Broken off" };

export const nameOf = ({ agent, role }: Message) => agent?.agent?.name ?? agent?.key ?? ROLES[role];

interface Props {
  message: Message;
  /** The day it begins; null when the message before is of the same day. */
  day: string | null;
  tools: Map<string, Tool>;
  wanted: boolean;
  onDecide: Conversation["decide"];
}

export const MessageItem = memo(function MessageItem({ message, day, tools, wanted, onDecide }: Props) {
  const { role, status, sequence, createdAt } = message;
  const content = contentOf(message);
  const blocks = content.filter((block) => block.__typename !== "ToolResultBlock" || !tools.has(block.toolUseId));
  if (content.length && !blocks.length) return null; // tool results are shown with their calls
  const isStreaming = status === "STREAMING";
  const last = blocks.at(-1);
  return (
    <li id={`message-${sequence}`} className="message" data-role={role} data-wanted={wanted || undefined} aria-busy={isStreaming}>
      {day && <p className="day">{day}</p>}
      <p className="message-head">
        <span className="message-name">{nameOf(message)}</span>
        <time dateTime={createdAt}>{clockTime(createdAt)}</time>
      </p>
      {blocks.map((block) => (
        <BlockView key={block.position} block={block} tools={tools} onDecide={onDecide} isGrowing={isStreaming && block === last} />
      ))}
      {isStreaming && last?.__typename !== "TextBlock" && (
        <p className="mark">
          <Writing />
        </p>
      )}
      {MARKS[status] && <p className="mark">{MARKS[status]}</p>}
    </li>
  );
});

type BlockProps = Pick<Props, "tools" | "onDecide"> & { block: ContentBlock; isGrowing: boolean };

function BlockView({ block, tools, onDecide, isGrowing }: BlockProps) {
  switch (block.__typename) {
    case "TextBlock":
      return (
        <p className="text" data-writing={isGrowing || undefined}>
          {block.text}
        </p>
      );
    case "ReasoningBlock":
      return (
        <details className="reasoning">
          <summary>Thoughts</summary>
          <p className="text">{block.text}</p>
        </details>
      );
    case "ToolUseBlock":
      return <ToolCard use={block} tool={tools.get(block.toolUseId) ?? {}} onDecide={onDecide} />;
    case "ToolResultBlock":
      return <ResultCard result={block} />;
    case "MediaBlock":
      return <p className="mark">{block.fileName ?? block.mediaType}</p>;
    case "SourceBlock":
      return <SourceLink source={block} />;
    case "DataBlock":
      return (
        <details className="reasoning">
          <summary>{block.name}</summary>
          <pre>{shown(block.data)}</pre>
        </details>
      );
    default:
      return null; // a type that this page has no view for
  }
}

/** Only an address of the web becomes a link: a document may hold any, and some run scripts. */
function SourceLink({ source: { url, title, fileName } }: { source: BlockOf<"SourceBlock"> }) {
  const name = title ?? fileName ?? url ?? "Source";
  if (!url || !/^https?:\/\//i.test(url)) return <p className="mark">{name}</p>;
  return (
    <p className="mark">
      <a href={url} target="_blank" rel="noopener noreferrer">
        {name}
      </a>
    </p>
  );
}

interface EchoProps {
  outgoing: Outgoing;
  isOffline: boolean;
}

/** A message of the user that the server has not yet acknowledged. */
export function Echo({ outgoing: { message, state, error }, isOffline }: EchoProps) {
  const isRefused = state === "refused";
  const waits = isOffline || error ? "waits for the connection" : "sending …";
  return (
    <li className="message" data-role="USER" data-state={state}>
      <p className="message-head">
        <span className="message-name">You</span>
        <span>{isRefused ? "not sent" : waits}</span>
      </p>
      <p className="text">{message.text}</p>
      {isRefused && <p className="mark">{error?.message}</p>}
    </li>
  );
}
