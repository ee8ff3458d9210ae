export { type ConversationRuntimeOptions, useConversationRuntime } from "./conversation-runtime.ts";
export { type Thread, historyAdapter } from "./history.ts";
export { type ColloquyRuntimeOptions, useColloquyRuntime } from "./runtime.ts";
export { type ThreadListOptions, threadListAdapter } from "./thread-list.ts";
