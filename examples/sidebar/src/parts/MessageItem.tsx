import { memo } from "react";
import type { Api } from "../api/client.ts";
import type { Outgoing } from "../api/outbox.ts";
import type { Block, Message, Source } from "../api/types.ts";
import type { Change } from "../hooks/conversation.ts";
import { clockTime } from "./time.ts";
import { ResultCard, shown, ToolCard } from "./ToolCard.tsx";
import type { Tool } from "./tools.ts";
import { Writing } from "./Writing.tsx";

const ROLES = { USER: "You", ASSISTANT: "Assistant", SYSTEM: "Instructions", TOOL: "Tool" };
const MARKS = { STREAMING: null, COMPLETE: null, CANCELLED: "Stopped", FAILED: "Broken off" };

export const nameOf = ({ agent, role }: Message) => agent?.agent?.name ?? agent?.key ?? ROLES[role];

interface Props {
  api: Api;
  message: Message;
  /** The day it begins; null when the message before is of the same day. */
  day: string | null;
  tools: Map<string, Tool>;
  wanted: boolean;
  change: (next: Change) => void;
}

export const MessageItem = memo(function MessageItem({ api, message, day, tools, wanted, change }: Props) {
  const { role, status, sequence, createdAt } = message;
  const blocks = message.content.filter((block) => block.__typename !== "ToolResultBlock" || !tools.has(block.toolUseId));
  if (message.content.length && !blocks.length) return null; // tool results are shown with their calls
  const streaming = status === "STREAMING";
  const plain = blocks.every(({ __typename }) => __typename === "TextBlock");
  return (
    <li id={`message-${sequence}`} className="message" data-role={role} data-wanted={wanted || undefined} aria-busy={streaming}>
      {day && <p className="day">{day}</p>}
      <p className="message-head">
        <span className="message-name">{nameOf(message)}</span>
        <time dateTime={createdAt}>{clockTime(createdAt)}</time>
      </p>
      {plain ? (
        <p className="text" data-writing={streaming || undefined}>
          {message.text || (streaming && <Writing />)}
        </p>
      ) : (
        blocks.map((block) => (
          <BlockView key={block.position} api={api} block={block} tools={tools} change={change} />
        ))
      )}
      {MARKS[status] && <p className="mark">{MARKS[status]}</p>}
    </li>
  );
});

type BlockProps = Pick<Props, "api" | "tools" | "change"> & { block: Block };

function BlockView({ api, block, tools, change }: BlockProps) {
  switch (block.__typename) {
    case "TextBlock":
      return <p className="text">{block.text}</p>;
    case "ReasoningBlock":
      return (
        <details className="reasoning">
          <summary>Thoughts</summary>
          <p className="text">{block.text}</p>
        </details>
      );
    case "ToolUseBlock":
      return <ToolCard api={api} use={block} tool={tools.get(block.toolUseId) ?? {}} change={change} />;
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
function SourceLink({ source: { url, title, fileName } }: { source: Source }) {
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

const STATES = { sending: "sending …", waiting: "waits for the connection", sent: "", refused: "not sent" };

/** A message of the user that the server has not yet acknowledged. */
export function Echo({ outgoing: { text, state, why } }: { outgoing: Outgoing }) {
  return (
    <li className="message" data-role="USER" data-state={state}>
      <p className="message-head">
        <span className="message-name">You</span>
        <span>{STATES[state]}</span>
      </p>
      <p className="text">{text}</p>
      {why && <p className="mark">{why}</p>}
    </li>
  );
}
