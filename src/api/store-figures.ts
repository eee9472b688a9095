import { HoldfastError } from '../errors/index.ts';
import type { Store, StoreStats } from '../jobs/index.ts';

/** How long an answer waits for the figures of a store. Well below what clients wait for the answer. */
const patienceMs = 10_000;

/**
 * What a store holds. A store on object storage that is out of reach is tried for minutes, and one whose last holder has
 * died is opened only when its lease has run out: an answer about many vaults must not wait for that. The opening goes on.
 * @throws StoreUnavailable after `limitMs`, and what `open` and `stats` throw
 */
export async function statsOf(
  open: () => Promise<Store>,
  place: string,
  limitMs = patienceMs,
): Promise<StoreStats> {
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
    return await Promise.race([open().then((store) => store.stats()), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** As {@link statsOf}: the few figures that go with a vault. */
export async function figuresOf(open: () => Promise<Store>, place: string, limitMs = patienceMs) {
  const { points, storedBytes, uniqueBytes } = await statsOf(open, place, limitMs);
  return { recoveryPoints: points, storedBytes, uniqueBytes };
}

/** The figures of a store as they are shown of one, a vault's own or its replica. */
export function presentStats({ points, uniqueBytes, storedBytes, ...others }: StoreStats) {
  return {
    ...others,
    recoveryPoints: points,
    uniqueBytes,
    storedBytes,
    ...(storedBytes === 0 ? {} : { compressionRatio: ratio(uniqueBytes, storedBytes) }),
  };
}

/** To hundredths. */
export function ratio(whole: number, part: number): number {
  return Math.round((whole * 100) / part) / 100;
}
