// Short names for what the documents select.

import type {
  ApprovalFragment,
  MessageFragment,
  PageFragment,
  SearchQuery,
  SessionEventsSubscription,
  SessionFragment,
  ViewerEventsSubscription,
  ViewerQuery,
} from "./generated.ts";

export type Session = SessionFragment;
export type Message = MessageFragment;
export type ContentBlock = Message["content"][number];
export type Approval = ApprovalFragment;
export type PageInfo = PageFragment;
export type Viewer = ViewerQuery["viewer"];
export type SessionEvent = SessionEventsSubscription["sessionEvents"];
export type ViewerEvent = ViewerEventsSubscription["viewerEvents"];
export type SearchHit = SearchQuery["searchMessages"]["edges"][number];

/** One page of a connection. */
export interface Page<Node> {
  nodes: Node[];
  pageInfo: PageInfo;
}

/** The arguments of a page: `first` with `after`, or `last` with `before`. At most 100. */
export interface PageArguments {
  first?: number;
  after?: string | null;
  last?: number;
  before?: string | null;
}
