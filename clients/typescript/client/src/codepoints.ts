// The API counts Unicode code points, JavaScript UTF-16 units.

/** How many code points a text has. */
export function length(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The beginning of a text, `count` code points long. */
export function beginning(text: string, count: number): string {
  let end = 0;
  for (; count > 0 && end < text.length; count--) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return text.slice(0, end);
}
