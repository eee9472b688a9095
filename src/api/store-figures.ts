import { HoldfastError } from '../errors/index.ts';
import type { Store } from '../jobs/index.ts';

/** How long an answer waits for the figures of a store. Well below what clients wait for the answer. */
const patienceMs = 10_000;

/**
 * What a store holds. A store on object storage that is out of reach is tried for minutes, and one whose last holder has
 * died is opened only when its lease has run out: an answer about many vaults must not wait for that. The opening goes on.
 * @throws StoreUnavailable after `limitMs`, and what `open` and `stats` throw
 */
export async function figuresOf(open: () => Promise<Store>, place: string, limitMs = patienceMs) {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new HoldfastError('StoreUnavailable', `The store at ${place} has not answered yet.`, {
          target: place,
          action: 'Try again in a minute.',
        }),
      ),
    limitMs,
  );
  try {
    const stats = await Promise.race([open().then((store) => store.stats()), late.promise]);
    return { recoveryPoints: stats.points, storedBytes: stats.storedBytes, uniqueBytes: stats.uniqueBytes };
  } finally {
    clearTimeout(timer);
  }
}
