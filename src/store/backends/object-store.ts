import { randomUUID } from 'node:crypto';
import { HoldfastError, messageOf } from '../../errors/index.ts';
import { type Backend, checkObjectName, checkPrefix, type StoreLock } from '../backend.ts';
import { storePrefixes } from '../layout.ts';
import { Limiter } from '../limiter.ts';
import { type AttemptRules, attempt, defaultAttemptRules } from './attempts.ts';
import { acquireLease, elapsedClock, type Lease, type LeaseClock } from './lease.ts';
import { type ObjectClient, ObjectFailure, type StoredObject, type WriteGate } from './object-client.ts';
import { bodiesOf } from './parts.ts';
import { probeCapabilities } from './probe.ts';

export interface ObjectStoreOptions {
  /** Objects longer than this are sent in parts of this size. Default 8 MiB; S3 wants at least 5. */
  partBytes?: number;
  /** Requests under way at once. Default 16. */
  requestsInFlight?: number;
  rules?: Partial<AttemptRules>;
  leaseClock?: LeaseClock;
}

/** Parts of one object under way at once: with their copies, what a put may take of memory. */
const partsInFlight = 4;

/** A bound for pages of one listing: 10^9 objects of 1000 a page. */
const pageLimit = 1_000_000;

/**
 * A store in a bucket or container, under a prefix of it. What the two services have in common is here; `makeClient`
 * gets the gate that every request which changes something has to pass.
 */
export function objectStoreBackend(
  makeClient: (gate: WriteGate) => ObjectClient,
  prefix: string,
  options: ObjectStoreOptions = {},
): Backend {
  const { partBytes = 8 * 1024 * 1024, requestsInFlight = 16 } = options;
  const rules = { ...defaultAttemptRules, ...options.rules };
  const root = prefix === '' ? '' : `${prefix}/`;
  let lease: Lease | undefined;
  const client = makeClient((method) => {
    if (method !== 'GET' && method !== 'HEAD') lease?.throwIfLost();
  });
  const { description } = client;
  const requests = new Limiter(requestsInFlight);
  let probing: ReturnType<typeof probeCapabilities> | undefined;

  /** One request, repeated as the rules say; nothing is asked any more, not even read, once the lease is lost. */
  async function request<T>(
    run: (signal: AbortSignal, number: number) => Promise<T>,
    limits: { bytes?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const signals = [limits.signal, lease?.lost].filter((signal) => signal !== undefined);
    const { bytes = 0 } = limits;
    return await requests.run(() =>
      attempt(rules, { bytes, signals }, (signal, number) => {
        lease?.throwIfLost();
        return run(signal, number);
      }),
    );
  }

  async function guarded<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw toStoreError(error, description, what);
    }
  }

  async function putWhole(key: string, body: Buffer): Promise<void> {
    await request((signal) => client.put(key, body, {}, signal), { bytes: body.length });
  }

  async function putInParts(key: string, bodies: AsyncIterable<Buffer>): Promise<void> {
    const upload = await request((signal) => client.beginUpload(key, signal));
    const sending = new Set<Promise<void>>();
    const failed = new AbortController();
    let parts = 0;
    let bytes = 0;
    try {
      for await (const body of bodies) {
        while (sending.size >= partsInFlight) await Promise.race(sending);
        failed.signal.throwIfAborted();
        const number = parts++;
        bytes += body.length;
        const sent = request((signal) => upload.putPart(number, body, signal), {
          bytes: body.length,
          signal: failed.signal,
        })
          .catch((error: unknown) => failed.abort(error))
          .finally(() => sending.delete(sent));
        sending.add(sent);
      }
      await Promise.all(sending);
      failed.signal.throwIfAborted();
      if (!(await request((signal) => upload.complete(parts, signal)))) {
        // The answer to an earlier try may have got lost; then the object is there. Its name says what is in it.
        const found = await request((signal) => client.stat(key, signal));
        if (found?.sizeBytes !== bytes)
          throw new ObjectFailure('refused', 'the upload was ended by somebody else before it was complete');
      }
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(sending); // nothing touches the caller's memory afterwards
      await request((signal) => upload.abort(signal)).catch(() => {}); // the next holder of the lock sweeps
      throw error;
    }
  }

  async function put(key: string, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const bodies = bodiesOf(parts, partBytes);
    const first = await bodies.next();
    const second = await bodies.next();
    if (first.done) throw new Error('no body');
    if (second.done) return await putWhole(key, first.value);
    await putInParts(
      key,
      (async function* () {
        yield first.value;
        yield second.value;
        yield* bodies;
      })(),
    );
  }

  async function* list(under: string): AsyncGenerator<StoredObject> {
    let after: string | undefined;
    for (let pages = 0; pages < pageLimit; pages++) {
      const page = await request((signal) => client.listPage(under, after, signal));
      for (const object of page.objects) {
        if (!object.key.startsWith(under))
          throw new ObjectFailure('refused', `the listing of ${under} shows ${object.key}`);
        yield object;
      }
      if (page.next === undefined) return;
      if (page.next === after) throw new ObjectFailure('refused', 'the listing does not get on');
      after = page.next;
    }
    throw new ObjectFailure('refused', `the listing has more than ${pageLimit} pages`);
  }

  async function capabilities() {
    probing ??= probeCapabilities(client, `${root}probe/${randomUUID()}`, (run) => request(run));
    const probed = probing;
    // A failure is not remembered.
    probed.catch(() => {
      if (probing === probed) probing = undefined;
    });
    return await probed;
  }

  async function lock(): Promise<StoreLock | undefined> {
    if (!(await request((signal) => client.placeExists(signal)))) throw noPlace(description);
    const service = client.leases(`${root}lock/`, async () => (await capabilities()).conditionalPut);
    const clock = options.leaseClock ?? elapsedClock();
    const taken = await acquireLease(service, { clock, description, request: (run) => request(run) });
    if (taken === undefined) return undefined;
    lease = taken;
    try {
      // Others may keep theirs in the same bucket, and below an empty prefix even other stores.
      const isOurs = (key: string) => storePrefixes.some((each) => key.startsWith(root + each));
      await request((signal) => client.sweepUploads(root, isOurs, signal));
    } catch (error) {
      await release(taken);
      throw error;
    }
    return { lost: taken.lost, [Symbol.asyncDispose]: () => release(taken) };
  }

  /** One that is lost stays, as a bar to whatever is still on its way: the backend is of no use any more. */
  async function release(taken: Lease): Promise<void> {
    await taken.release();
    if (lease === taken && !taken.lost.aborted) lease = undefined;
  }

  return {
    description,
    capabilities: () => guarded('probed', capabilities),
    exists: () => guarded('looked at', () => request((signal) => client.placeExists(signal))),
    lock: () => guarded('locked', lock),
    put(name, parts) {
      checkObjectName(name);
      return guarded(`written to (${name})`, () => put(root + name, parts));
    },
    get(name, range) {
      checkObjectName(name);
      range?.signal?.throwIfAborted();
      return guarded(`read (${name})`, async () => {
        if (range?.length === 0)
          return (await request((signal) => client.stat(root + name, signal))) && Buffer.alloc(0);
        const bytes = range?.length ?? partBytes;
        return await request((signal) => client.get(root + name, range, signal), {
          bytes,
          signal: range?.signal,
        });
      });
    },
    stat(name) {
      checkObjectName(name);
      return guarded(`read (${name})`, async () => {
        const found = await request((signal) => client.stat(root + name, signal));
        return found && { name, sizeBytes: found.sizeBytes };
      });
    },
    async *list(under) {
      checkPrefix(under);
      try {
        for await (const { key, sizeBytes } of list(root + under))
          yield { name: key.slice(root.length), sizeBytes };
      } catch (error) {
        throw toStoreError(error, description, `listed (${under})`);
      }
    },
    delete(name) {
      checkObjectName(name);
      return guarded(`deleted from (${name})`, () => request((signal) => client.delete(root + name, signal)));
    },
  };
}

function noPlace(description: string): HoldfastError {
  return new HoldfastError('StoreNotFound', `The bucket or container of ${description} does not exist.`, {
    target: description,
    action:
      'Check its name and the endpoint; Holdfast does not create buckets and containers, so create it first.',
  });
}

/** Failed requests become codes of the catalogue; whatever else is thrown is a reason to stop, or a bug, and stays one. */
function toStoreError(error: unknown, description: string, what: string): unknown {
  if (!(error instanceof ObjectFailure)) return error;
  if (error.kind === 'noPlace') return noPlace(description);
  const options = {
    cause: error,
    target: description,
    ...(error.advice === undefined ? {} : { action: error.advice }),
  };
  const sentence = `could not be ${what}: ${messageOf(error)}`;
  if (error.kind === 'full')
    return new HoldfastError(
      'StoreFull',
      `The store at ${description} is full: ${messageOf(error)}`,
      options,
    );
  if (error.kind === 'denied')
    return new HoldfastError('StoreAccessDenied', `The store at ${description} ${sentence}`, options);
  return new HoldfastError('StoreUnavailable', `The store at ${description} ${sentence}`, options);
}
