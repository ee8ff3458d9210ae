const SHOWN = 100;

/** Each result of a subscription with the ones before it, newest first: GraphiQL itself shows only the last. */
export async function* newestFirst(results) {
  const shown = [];
  for await (const result of results) {
    shown.unshift(result);
    shown.length = Math.min(shown.length, SHOWN);
    yield { toJSON: () => shown };
  }
}
