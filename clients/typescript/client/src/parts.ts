interface Part {
  type?: unknown;
  delta?: unknown;
}

/** The text for people in the chunks of AI SDK and the events of AG-UI, as the server makes it of a streaming message. */
export function textInside(parts: readonly unknown[]): string {
  return parts.map((part) => textOf((part ?? {}) as Part)).join("");
}

function textOf({ type, delta }: Part): string {
  switch (type) {
    case "text-delta":
    case "TEXT_MESSAGE_CONTENT":
    case "TEXT_MESSAGE_CHUNK":
      return typeof delta === "string" ? delta : "";
    case "text-end":
    case "TEXT_MESSAGE_END":
      return "\n";
    default:
      return "";
  }
}
