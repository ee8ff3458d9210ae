// The types of what the documents beside this file select. tests/test_web.py validates the documents.

export type MessageRole = "USER" | "ASSISTANT" | "SYSTEM" | "TOOL";
export type MessageStatus = "STREAMING" | "COMPLETE" | "CANCELLED" | "FAILED";
export type ApprovalStatus = "PENDING" | "APPROVED" | "REJECTED" | "CANCELLED";

export interface Session {
  id: string;
  title: string;
  status: "PENDING" | "ACTIVE" | "COMPLETED" | "FAILED" | "EXPIRED";
  messageCount: number;
  unreadCount: number;
  streaming: boolean;
  pendingApprovalCount: number;
  lastReadSequence: number;
  lastActivityAt: string;
  archivedAt: string | null;
  deletedAt: string | null;
  lastMessage: { id: string; role: MessageRole; status: MessageStatus; text: string } | null;
}

export interface Message {
  id: string;
  key: string | null;
  sequence: number;
  role: MessageRole;
  status: MessageStatus;
  text: string;
  revision: number;
  createdAt: string;
  agent: { key: string; agent: { name: string } | null } | null;
  content: Block[];
}

export interface ToolUse {
  __typename: "ToolUseBlock";
  position: number;
  toolUseId: string;
  name: string;
  input: unknown;
}
export interface ToolResult {
  __typename: "ToolResultBlock";
  position: number;
  toolUseId: string;
  isError: boolean;
  content: unknown;
}
export interface Source {
  __typename: "SourceBlock";
  position: number;
  url: string | null;
  title: string | null;
  fileName: string | null;
}
export type Block =
  | { __typename: "TextBlock" | "ReasoningBlock"; position: number; text: string }
  | ToolUse
  | ToolResult
  | { __typename: "MediaBlock"; position: number; mediaType: string; fileName: string | null }
  | Source
  | { __typename: "DataBlock"; position: number; name: string; data: unknown }
  | { __typename: "OtherBlock"; position: number; kind: string };

export interface Approval {
  id: string;
  status: ApprovalStatus;
  toolUseId: string | null;
  approverRole: string | null;
  notes: string | null;
  decidedBy: string | null;
  message: { id: string } | null;
}

export interface Page<Node> {
  nodes: Node[];
  pageInfo: { hasPreviousPage: boolean; startCursor: string | null };
}

interface At {
  cursor: string;
}
export type SessionEvent =
  | (At & { __typename: "MessageAdded" | "MessageChanged"; message: Message })
  | (At & { __typename: "MessageDelta"; messageId: string; offset: number; text: string })
  | (At & { __typename: "MessageRemoved"; messageId: string })
  | (At & { __typename: "SessionChanged"; session: Session })
  | (At & { __typename: "SessionRemoved" })
  | (At & { __typename: "ApprovalChanged"; approval: Approval })
  | (At & { __typename: "CaughtUp" | "StreamReset" });

export type ViewerEvent =
  | (At & { __typename: "SessionChanged"; session: Session })
  | (At & { __typename: "SessionRemoved"; sessionId: string })
  | (At & { __typename: "TaskChanged" | "ApprovalChanged" | "CaughtUp" | "StreamReset" });

export interface Refusal {
  code: string;
  message: string;
  expectedOffset?: number;
}
