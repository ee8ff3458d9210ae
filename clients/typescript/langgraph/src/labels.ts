// Texts of the framework as labels and keys of records, which are never empty and have no control characters. The same
// texts have the same labels in the Python client (colloquy.labels).

const NOT_ALLOWED = /[\x00-\x1f%]/g;
const EMPTY = "%"; // no encoded text is this one
const MAX_BYTES = 255;
const KEPT_BYTES = 150;

/** The text with control characters and `%` percent-encoded; order and prefixes of other texts stay. */
export function encoded(text: string): string {
  return text.replace(NOT_ALLOWED, (found) => `%${hexadecimal(found.charCodeAt(0)).toUpperCase()}`) || EMPTY;
}

/** The text of a label that `encoded` returned. */
export function decoded(label: string): string {
  if (label === EMPTY) return "";
  return label.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** As `encoded`; a text of more than 255 bytes ends in its SHA-256 instead, and cannot be decoded. */
export async function labelOf(text: string): Promise<string> {
  const label = encoded(text);
  const bytes = new TextEncoder().encode(label);
  if (bytes.length <= MAX_BYTES) return label;
  let end = KEPT_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--; // never within a character
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `${new TextDecoder().decode(bytes.subarray(0, end))}%${Array.from(digest, hexadecimal).join("")}`;
}

function hexadecimal(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
