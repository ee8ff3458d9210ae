export { type FollowOptions, follow, replay } from "./follow.ts";
export { messagesOf } from "./messages.ts";
export type { SessionName, StoredMessage } from "./stored.ts";
