import type { Approval, Message, ToolResult } from "../api/types.ts";

/** The result and the approval of one tool call, wherever in the conversation they are. */
export interface Tool {
  result?: ToolResult;
  approval?: Approval;
}

/** By toolUseId, for the calls among these messages. */
export function toolsOf(messages: Message[], approvals: Approval[]): Map<string, Tool> {
  const tools = new Map<string, Tool>();
  const blocks = messages.flatMap(({ content }) => content);
  for (const block of blocks) if (block.__typename === "ToolUseBlock") tools.set(block.toolUseId, {});
  for (const block of blocks) {
    const tool = block.__typename === "ToolResultBlock" && tools.get(block.toolUseId);
    if (tool) tool.result = block as ToolResult;
  }
  for (const approval of approvals) {
    const tool = tools.get(approval.toolUseId ?? "");
    if (tool) tool.approval = approval;
  }
  return tools;
}
