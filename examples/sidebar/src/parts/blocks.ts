import type { ContentBlock } from "@colloquy/client";

/** The blocks of one type. */
export type BlockOf<Name extends ContentBlock["__typename"]> = Extract<ContentBlock, { __typename: Name }>;
