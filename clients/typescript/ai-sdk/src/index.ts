export { type LiveChat, type FollowOptions, followChat } from "./follow-chat.ts";
export { type PersistOptions, type PersistedAnswer, type StreamSource, persist } from "./persist.ts";
export { type AnswerRequest, ColloquyChatTransport, type ColloquyChatTransportOptions } from "./transport.ts";
export { type LoadOptions, loadUIMessages } from "./ui-messages.ts";
