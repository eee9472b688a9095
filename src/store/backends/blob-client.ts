import { createHash, randomUUID } from 'node:crypto';
import type * as Sdk from '@azure/storage-blob';
import { blobFailure, codeOf, statusOf } from './blob-failures.ts';
import { blobLeases } from './blob-leases.ts';
import { type ByteRange, type ObjectClient, ObjectFailure, type WriteGate } from './object-client.ts';
import { checkRange, readBody } from './parts.ts';
import type { BlobCredentials } from './store-credentials.ts';
import type { BlobLocation } from './store-location.ts';

export interface BlobClientOptions {
  location: BlobLocation;
  credentials: BlobCredentials;
  gate: WriteGate;
  /** How long a lease lasts, 15 to 60 s; tests may want less than the service grants and get the least. */
  leaseMs: number;
  /** Names in a page of a listing. */
  pageSize?: number | undefined;
}

/** How long the blob that tries out immutability is locked. */
const lockTrialMs = 3_000;

/** Azure Blob Storage as an {@link ObjectClient}. `sdk`: the client library, which is loaded only by who needs it. */
export function blobClient(
  sdk: typeof Sdk,
  { location, credentials, gate, leaseMs, pageSize }: BlobClientOptions,
): ObjectClient {
  const { account, container: containerName, endpoint } = location;
  const { accountKey } = credentials;
  const sasToken = credentials.sasToken?.replace(/^\?/, '');
  const secrets = [accountKey, sasToken].filter((text) => text !== undefined);
  const pipeline = sdk.newPipeline(
    accountKey === undefined
      ? new sdk.AnonymousCredential()
      : new sdk.StorageSharedKeyCredential(account, accountKey),
    { retryOptions: { maxTries: 1 }, keepAliveOptions: { enable: true } }, // see attempts.ts
  );
  pipeline.factories.unshift({
    create: (next) => ({
      async sendRequest(request) {
        gate(request.method);
        return await next.sendRequest(request);
      },
    }),
  });
  const address = `${endpoint}/${containerName}${sasToken === undefined ? '' : `?${sasToken}`}`;
  const container = new sdk.ContainerClient(address, pipeline);
  const blob = (key: string) => container.getBlockBlobClient(key);

  async function send<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw blobFailure(error, secrets);
    }
  }

  /** Undefined for a blob that is not there; a container that is not there is thrown. */
  async function orAbsent<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (statusOf(error) !== 404) throw blobFailure(error, secrets);
      if (codeOf(error) !== 'BlobNotFound' && !(await client.placeExists(signal)))
        throw new ObjectFailure('noPlace', `there is no container ${containerName}`);
      return undefined;
    }
  }

  async function download(key: string, range: ByteRange | undefined, abortSignal: AbortSignal) {
    const answer = await blob(key).download(range?.offset ?? 0, range?.length, {
      abortSignal,
      maxRetryRequests: 0,
    });
    const body = answer.readableStreamBody as (NodeJS.ReadableStream & { destroy?(): void }) | undefined;
    const length = answer.contentLength;
    if (body === undefined || length === undefined)
      throw new ObjectFailure('transient', 'the answer does not say how long it is');
    try {
      if (range !== undefined) checkRange(range, length, answer.contentRange);
      return await readBody(body as AsyncIterable<Buffer>, length, range?.into);
    } finally {
      body.destroy?.();
    }
  }

  const client: ObjectClient = {
    description: location.description,

    async placeExists(abortSignal) {
      return await send(() => container.exists({ abortSignal }));
    },

    async put(key, body, { ifAbsent }, abortSignal) {
      try {
        await blob(key).upload(body, body.length, {
          abortSignal,
          blobHTTPHeaders: { blobContentMD5: md5(body) },
          ...(ifAbsent ? { conditions: { ifNoneMatch: '*' } } : {}),
        });
        return true;
      } catch (error) {
        if (ifAbsent && (statusOf(error) === 412 || codeOf(error) === 'BlobAlreadyExists')) return false;
        throw blobFailure(error, secrets);
      }
    },

    async get(key, range, abortSignal) {
      return await orAbsent(abortSignal, async () => {
        try {
          return await download(key, range, abortSignal);
        } catch (error) {
          if (statusOf(error) === 416 && range !== undefined) return Buffer.alloc(0);
          throw error;
        }
      });
    },

    async stat(key, abortSignal) {
      return await orAbsent(abortSignal, async () => {
        const found = await blob(key).getProperties({ abortSignal });
        if (found.contentLength === undefined)
          throw new ObjectFailure('transient', 'the answer does not say how long the object is');
        return { key, sizeBytes: found.contentLength, mark: found.etag ?? '' };
      });
    },

    async listPage(prefix, after, abortSignal) {
      return await send(async () => {
        const pages = container.listBlobsFlat({ prefix, abortSignal }).byPage({
          ...(after === undefined ? {} : { continuationToken: after }),
          ...(pageSize === undefined ? {} : { maxPageSize: pageSize }),
        });
        const { value: page } = (await pages.next()) as {
          value: Sdk.ContainerListBlobFlatSegmentResponse | undefined;
        };
        if (page?.segment === undefined)
          throw new ObjectFailure('transient', 'a page of the listing was not understood');
        const objects = page.segment.blobItems.map(({ name, properties }) => {
          if (properties.contentLength === undefined)
            throw new ObjectFailure('transient', 'a page of the listing shows an object without a size');
          return { key: name, sizeBytes: properties.contentLength, mark: properties.etag };
        });
        return { objects, next: page.continuationToken === '' ? undefined : page.continuationToken };
      });
    },

    async delete(key, abortSignal) {
      await send(() => blob(key).deleteIfExists({ abortSignal }));
    },

    async beginUpload(key) {
      // Blocks of two puts of one name must not be taken for each other. All ids of a blob have the same length.
      const upload = randomUUID();
      const idOf = (number: number) =>
        Buffer.from(`${upload}-${String(number).padStart(6, '0')}`).toString('base64');
      return {
        async putPart(number, body, abortSignal) {
          await send(() =>
            blob(key).stageBlock(idOf(number), body, body.length, {
              abortSignal,
              transactionalContentMD5: md5(body),
            }),
          );
        },
        async complete(parts, abortSignal) {
          const ids = Array.from({ length: parts }, (_, number) => idOf(number));
          try {
            await blob(key).commitBlockList(ids, { abortSignal });
            return true;
          } catch (error) {
            if (codeOf(error) === 'InvalidBlockList') return false;
            throw blobFailure(error, secrets);
          }
        },
        async abort() {}, // blocks that no list names are never seen, and dropped by the service after a week
      };
    },

    async sweepUploads() {}, // as above

    async refusesWrongSum(key, abortSignal) {
      try {
        await blob(key).stageBlock(Buffer.from('sum').toString('base64'), Buffer.from('right'), 5, {
          abortSignal,
          transactionalContentMD5: md5(Buffer.from('wrong')),
        });
        return false;
      } catch (error) {
        if (statusOf(error) === 400) return true;
        throw blobFailure(error, secrets);
      }
    },

    async keepsLocked(key, abortSignal) {
      const locked = blob(key);
      const expiriesOn = new Date(Date.now() + lockTrialMs);
      await send(() => locked.upload(Buffer.from('locked'), 6, { abortSignal }));
      try {
        await locked.setImmutabilityPolicy({ expiriesOn, policyMode: 'Unlocked' }, { abortSignal });
      } catch (error) {
        const failure = blobFailure(error, secrets);
        if (!(failure instanceof ObjectFailure) || failure.kind === 'transient') throw failure;
        await send(() => locked.deleteIfExists({ abortSignal }));
        return false;
      }
      try {
        await locked.delete({ abortSignal });
        return false;
      } catch (error) {
        if (statusOf(error) !== 409) throw blobFailure(error, secrets);
      }
      await locked.deleteImmutabilityPolicy({ abortSignal }).catch(() => {});
      await locked.deleteIfExists({ abortSignal }).catch(() => {});
      return true;
    },

    leases: (prefix) => blobLeases(blob(`${prefix}lease`), leaseMs, secrets),
  };
  return client;
}

function md5(body: Buffer): Buffer {
  return createHash('md5').update(body).digest();
}
