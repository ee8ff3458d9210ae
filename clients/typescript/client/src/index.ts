export { Answer, type AnswerEnd, type AnswerOptions } from "./answer.ts";
export { type ClientOptions, ColloquyClient, type EventOptions } from "./client.ts";
export { contentOf } from "./content.ts";
export { type ConversationOptions, type ConversationSnapshot, ConversationStore } from "./conversation-store.ts";
export { type Code, ColloquyError, type Details } from "./errors.ts";
export type {
  AppendMessageInput,
  ApprovalStatus,
  CreateSessionInput,
  Decision,
  DeleteMode,
  ErrorCode,
  MessageFilter,
  MessageInput,
  MessageRole,
  MessageSearchFilter,
  MessageStatus,
  PartsFormat,
  RequestApprovalInput,
  SessionFilter,
  SessionStatus,
  UpdateMessageInput,
  UpdateSessionInput,
} from "./generated.ts";
export type { ConnectionState, Live, LiveContext, LiveFactory, Sink } from "./live.ts";
export { type Network, machineNetwork } from "./network.ts";
export { Outbox, type OutboxOptions, type OutboxStorage, type Outgoing } from "./outbox.ts";
export type { Document, RequestOptions } from "./requests.ts";
export { type SessionListOptions, type SessionListSnapshot, SessionListStore } from "./session-list-store.ts";
export type { TokenProvider } from "./tokens.ts";
export type * from "./types.ts";
export type { Readable } from "./value.ts";
export { webSocket, type WebSocketOptions } from "./websocket.ts";
