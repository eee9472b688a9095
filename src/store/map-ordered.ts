/**
 * Runs `work` on up to `limit` items at once and yields the results in the items' order. However it ends, all work has
 * settled when it does: nothing touches a buffer or a file afterwards.
 */
export async function* mapOrdered<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      result.catch(() => {}); // seen when its turn comes; a rejection before that must not end the process
      running.push(result);
      const first = running.length < limit ? undefined : running.shift();
      if (first !== undefined) yield await first;
    }
    for (let first = running.shift(); first !== undefined; first = running.shift()) yield await first;
  } finally {
    await Promise.allSettled(running);
  }
}
