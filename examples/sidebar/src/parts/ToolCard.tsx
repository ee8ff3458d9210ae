import type { Conversation } from "@colloquy/react";
import { ApprovalCard } from "./ApprovalCard.tsx";
import type { BlockOf } from "./blocks.ts";
import { Icon } from "./icons.tsx";
import type { Tool } from "./tools.ts";

type ToolResult = BlockOf<"ToolResultBlock">;

interface Props {
  use: BlockOf<"ToolUseBlock">;
  tool: Tool;
  onDecide: Conversation["decide"];
}

/** A tool call: its tool and arguments, its approval, and its result. */
export function ToolCard({ use, tool, onDecide }: Props) {
  return (
    <section className="card" aria-label={`Tool call ${use.name}`}>
      <p className="card-head">
        <Icon name="tool" />
        <code>{use.name}</code>
        <span className="chip" data-state={stateOf(tool)}>
          {WORDS[stateOf(tool)]}
        </span>
      </p>
      <Given value={use.input} />
      {tool.approval && <ApprovalCard approval={tool.approval} onDecide={onDecide} />}
      {tool.result && <Outcome result={tool.result} />}
    </section>
  );
}

/** A result whose call is on a page that is not loaded. */
export function ResultCard({ result }: { result: ToolResult }) {
  return (
    <section className="card" aria-label="Tool result">
      <Outcome result={result} />
    </section>
  );
}

const WORDS = {
  waiting: "waits for you",
  approved: "approved",
  running: "running",
  done: "done",
  failed: "failed",
  rejected: "rejected",
};

function stateOf({ approval, result }: Tool): keyof typeof WORDS {
  if (approval?.status === "REJECTED" || approval?.status === "CANCELLED") return "rejected";
  if (result) return result.isError ? "failed" : "done";
  if (approval) return approval.status === "PENDING" ? "waiting" : "approved";
  return "running";
}

/** Named arguments as a list; a text while they are written. */
function Given({ value }: { value: unknown }) {
  if (value === null) return null;
  if (typeof value !== "object" || Array.isArray(value)) return <pre>{shown(value)}</pre>;
  return (
    <dl>
      {Object.entries(value).map(([name, given]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{shown(given)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Outcome({ result }: { result: ToolResult }) {
  const texts = Array.isArray(result.content) ? result.content.map((part) => (part as { text?: unknown } | null)?.text) : [];
  const plain = texts.length > 0 && texts.every((text) => typeof text === "string");
  return <p className="outcome">{plain ? texts.join("\n") : shown(result.content)}</p>;
}

export function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
