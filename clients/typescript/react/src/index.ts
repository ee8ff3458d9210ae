export {
  type Conversation,
  type CurrentAnswer,
  type Search,
  type Sessions,
  useAnswer,
  useConnection,
  useConversation,
  useSearch,
  useSessions,
  useUnread,
} from "./hooks.ts";
export { ColloquyProvider, type ColloquyProviderProps, useClient } from "./provider.ts";
