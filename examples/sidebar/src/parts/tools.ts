import { type Approval, contentOf, type Message } from "@colloquy/client";
import type { BlockOf } from "./blocks.ts";

/** The result and the approval of one tool call, wherever in the conversation they are. */
export interface Tool {
  result?: BlockOf<"ToolResultBlock">;
  approval?: Approval;
}

/** By toolUseId, for the calls among these messages. */
export function toolsOf(messages: readonly Message[], approvals: readonly Approval[]): Map<string, Tool> {
  const tools = new Map<string, Tool>();
  const blocks = messages.flatMap(contentOf);
  for (const block of blocks) if (block.__typename === "ToolUseBlock") tools.set(block.toolUseId, {});
  for (const block of blocks) {
    const tool = block.__typename === "ToolResultBlock" && tools.get(block.toolUseId);
    if (tool) tool.result = block as BlockOf<"ToolResultBlock">;
  }
  for (const approval of approvals) {
    const tool = tools.get(approval.toolUseId ?? "");
    if (tool) tool.approval = approval;
  }
  return tools;
}
