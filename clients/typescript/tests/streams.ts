// Streams of parts that packages wrote, as `tests/documents/streams` has them.

import { readFileSync } from "node:fs";

type Format = "AI_SDK" | "AG_UI";

function recorded(name: string, format: Format): [Format, unknown[]][] {
  const file = new URL(`../../../tests/documents/streams/${name}.json`, import.meta.url);
  const { streams } = JSON.parse(readFileSync(file, "utf8")) as { streams: { parts: unknown[] }[] };
  return streams.map(({ parts }) => [format, parts]);
}

/** The format and the parts of each stream. */
export const STREAMS = [...recorded("ai_sdk_7", "AI_SDK"), ...recorded("ag_ui", "AG_UI")];
