import type { BlockBlobClient } from '@azure/storage-blob';
import { blobFailure, codeOf, statusOf } from './blob-failures.ts';
import type { LeaseService } from './object-client.ts';

/** What Azure grants, in seconds. */
const shortest = 15;
const longest = 60;

/**
 * Azure's own lease on a blob, which the service ends by its own clock. A renewal cannot be seen from outside, so the
 * holder also counts in the blob's metadata: whoever waits sees at once that somebody is alive.
 */
export function blobLeases(blob: BlockBlobClient, leaseMs: number, secrets: readonly string[]): LeaseService {
  const seconds = Math.min(longest, Math.max(shortest, Math.round(leaseMs / 1000)));
  const ttlMs = seconds * 1000;
  // The same for every try: taking a lease that is ours already is no error.
  const lease = blob.getBlobLeaseClient();

  async function send<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw blobFailure(error, secrets);
    }
  }

  return {
    async look(abortSignal) {
      try {
        const { leaseState, etag } = await blob.getProperties({ abortSignal });
        return leaseState === 'leased' || leaseState === 'breaking' ? { mark: etag ?? '', ttlMs } : undefined;
      } catch (error) {
        if (statusOf(error) === 404) return undefined; // nobody ever had it; a missing container shows when it is taken
        throw blobFailure(error, secrets);
      }
    },

    async take(_, abortSignal) {
      try {
        await blob.upload('', 0, { abortSignal, conditions: { ifNoneMatch: '*' } });
      } catch (error) {
        const code = codeOf(error);
        const isThere = statusOf(error) === 412 || code === 'BlobAlreadyExists';
        if (!isThere) throw blobFailure(error, secrets);
      }
      try {
        await lease.acquireLease(seconds, { abortSignal });
      } catch (error) {
        if (codeOf(error) === 'LeaseAlreadyPresent') return undefined;
        throw blobFailure(error, secrets);
      }
      let renewal = 0;
      return {
        ttlMs,
        async renew(signal) {
          try {
            await lease.renewLease({ abortSignal: signal });
          } catch (error) {
            if (statusOf(error) === 409 || statusOf(error) === 404 || statusOf(error) === 412) return false;
            throw blobFailure(error, secrets);
          }
          const conditions = { leaseId: lease.leaseId };
          await send(() =>
            blob.setMetadata({ renewal: String(++renewal) }, { abortSignal: signal, conditions }),
          );
          return true;
        },
        async release(signal) {
          await send(() => lease.releaseLease({ abortSignal: signal }));
        },
      };
    },
  };
}
