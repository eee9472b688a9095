import { createHash } from 'node:crypto';
import type * as Sdk from '@aws-sdk/client-s3';
import { claimLeases } from './claims.ts';
import { type ByteRange, type ObjectClient, ObjectFailure, type WriteGate } from './object-client.ts';
import { checkRange, readBody } from './parts.ts';
import { s3Failure } from './s3-failures.ts';
import type { S3Credentials } from './store-credentials.ts';
import type { S3Location } from './store-location.ts';

export interface S3ClientOptions {
  location: S3Location;
  /** Default: what the SDK finds in the environment, in ~/.aws, or from the machine's role. */
  credentials?: S3Credentials | undefined;
  gate: WriteGate;
  /** How long a lease lasts. */
  leaseMs: number;
  /** Names in a page of a listing. */
  pageSize?: number | undefined;
}

const connectTimeoutMs = 10_000;
/** An open connection on which nothing moves for so long is given up. */
const idleTimeoutMs = 60_000;

/** How long the object that tries out retention is locked. */
const lockTrialMs = 3_000;

/** S3 as an {@link ObjectClient}. `sdk`: the client library, which is loaded only by who needs it. */
export function s3Client(
  sdk: typeof Sdk,
  { location, credentials, gate, leaseMs, pageSize }: S3ClientOptions,
): ObjectClient {
  const { bucket } = location;
  const secrets = [credentials?.secretAccessKey, credentials?.sessionToken].filter(
    (text) => text !== undefined,
  );
  const s3 = new sdk.S3Client({
    region: location.region,
    ...(location.endpoint === undefined ? {} : { endpoint: location.endpoint }),
    forcePathStyle: location.pathStyle,
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1, // see attempts.ts
    // The SDK's own sums make some services store the framing of the stream, or refuse it. We send Content-MD5, which
    // all of them know, and the signature covers the SHA-256 of the body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      socketTimeout: idleTimeoutMs,
      httpAgent: { keepAlive: true, maxSockets: 64 },
      httpsAgent: { keepAlive: true, maxSockets: 64 },
    },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  s3.middlewareStack.add(
    (next) => async (args) => {
      gate((args.request as { method: string }).method);
      return await next(args);
    },
    { step: 'deserialize', priority: 'low', name: 'writeGate' }, // the last before the request leaves
  );

  async function send<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw s3Failure(error, secrets);
    }
  }

  /** Undefined for an object that is not there; a bucket that is not there is thrown. */
  async function orAbsent<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (statusOf(error) !== 404) throw s3Failure(error, secrets);
      // The answer to HEAD has no body that could tell which of the two is missing.
      const isPlain = error instanceof Error && error.name === 'NoSuchKey';
      if (!isPlain && !(await client.placeExists(signal)))
        throw new ObjectFailure('noPlace', `there is no bucket ${bucket}`);
      return undefined;
    }
  }

  async function getObject(key: string, range: ByteRange | undefined, abortSignal: AbortSignal) {
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    const answer = await s3.send(
      new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ...(Range === undefined ? {} : { Range }) }),
      { abortSignal },
    );
    const length = answer.ContentLength;
    const body = answer.Body as (AsyncIterable<Uint8Array> & { destroy?(): void }) | undefined;
    if (length === undefined || body === undefined)
      throw new ObjectFailure('transient', 'the answer does not say how long it is');
    try {
      if (range !== undefined) checkRange(range, length, answer.ContentRange);
      return await readBody(body, length, range?.into);
    } finally {
      body.destroy?.();
    }
  }

  const client: ObjectClient = {
    description: location.description,

    async placeExists(abortSignal) {
      try {
        await s3.send(new sdk.HeadBucketCommand({ Bucket: bucket }), { abortSignal });
        return true;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw s3Failure(error, secrets);
      }
    },

    async put(key, body, { ifAbsent }, abortSignal) {
      try {
        await s3.send(
          new sdk.PutObjectCommand({
            Bucket: bucket,
            Key: key,
            Body: body,
            ContentLength: body.length,
            ContentMD5: md5(body),
            ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
          }),
          { abortSignal },
        );
        return true;
      } catch (error) {
        // 409: two conditional puts at once; neither of them need be the one that stays.
        if (ifAbsent && statusOf(error) === 412) return false;
        if (ifAbsent && statusOf(error) === 409)
          throw new ObjectFailure('transient', 'another put was under way');
        throw s3Failure(error, secrets);
      }
    },

    async get(key, range, abortSignal) {
      return await orAbsent(abortSignal, async () => {
        try {
          return await getObject(key, range, abortSignal);
        } catch (error) {
          // The range begins where the object ends, or after it.
          if (statusOf(error) === 416 && range !== undefined) return Buffer.alloc(0);
          throw error;
        }
      });
    },

    async stat(key, abortSignal) {
      return await orAbsent(abortSignal, async () => {
        const found = await s3.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal });
        if (found.ContentLength === undefined)
          throw new ObjectFailure('transient', 'the answer does not say how long the object is');
        return { key, sizeBytes: found.ContentLength, mark: found.ETag ?? '' };
      });
    },

    async listPage(prefix, after, abortSignal) {
      return await send(async () => {
        const page = await s3.send(
          new sdk.ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix,
            ...(pageSize === undefined ? {} : { MaxKeys: pageSize }),
            ...(after === undefined ? {} : { ContinuationToken: after }),
          }),
          { abortSignal },
        );
        // An answer without this is none: to take it for the last page would leave objects out.
        if (page.IsTruncated === undefined || (page.IsTruncated && !page.NextContinuationToken))
          throw new ObjectFailure('transient', 'a page of the listing does not say whether it is the last');
        const objects = (page.Contents ?? []).map(({ Key, Size, ETag }) => {
          if (Key === undefined || Size === undefined)
            throw new ObjectFailure(
              'transient',
              'a page of the listing shows an object without name or size',
            );
          return { key: Key, sizeBytes: Size, mark: ETag ?? '' };
        });
        return { objects, next: page.IsTruncated ? page.NextContinuationToken : undefined };
      });
    },

    async delete(key, abortSignal) {
      await send(() => s3.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }));
    },

    async beginUpload(key, abortSignal) {
      const place = { Bucket: bucket, Key: key };
      const { UploadId } = await send(() =>
        s3.send(new sdk.CreateMultipartUploadCommand(place), { abortSignal }),
      );
      if (UploadId === undefined) throw new ObjectFailure('transient', 'the upload was given no id');
      const tags = new Map<number, string>();
      return {
        async putPart(number, body, signal) {
          const PartNumber = number + 1;
          const { ETag } = await send(() =>
            s3.send(
              new sdk.UploadPartCommand({
                ...place,
                UploadId,
                PartNumber,
                Body: body,
                ContentLength: body.length,
                ContentMD5: md5(body),
              }),
              { abortSignal: signal },
            ),
          );
          if (ETag === undefined) throw new ObjectFailure('transient', 'a part was given no tag');
          tags.set(PartNumber, ETag);
        },
        async complete(parts, signal) {
          const Parts = Array.from({ length: parts }, (_, index) => {
            const ETag = tags.get(index + 1);
            if (ETag === undefined) throw new Error(`part ${index} of ${key} was not sent`);
            return { PartNumber: index + 1, ETag };
          });
          const request = new sdk.CompleteMultipartUploadCommand({
            ...place,
            UploadId,
            MultipartUpload: { Parts },
          });
          try {
            await s3.send(request, { abortSignal: signal });
            return true;
          } catch (error) {
            if (error instanceof Error && error.name === 'NoSuchUpload') return false;
            throw s3Failure(error, secrets);
          }
        },
        async abort(signal) {
          const request = new sdk.AbortMultipartUploadCommand({ ...place, UploadId });
          await s3.send(request, { abortSignal: signal }).catch((error: unknown) => {
            if (statusOf(error) !== 404) throw s3Failure(error, secrets);
          });
        },
      };
    },

    async sweepUploads(prefix, isOurs, abortSignal) {
      let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
      for (;;) {
        const page = await s3
          .send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker }), {
            abortSignal,
          })
          .catch((error: unknown) => {
            if (statusOf(error) === 501) return undefined; // then they are the service's to end
            throw s3Failure(error, secrets);
          });
        for (const { Key, UploadId } of page?.Uploads ?? []) {
          if (!Key?.startsWith(prefix) || !isOurs(Key) || UploadId === undefined) continue;
          const request = new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId });
          await s3.send(request, { abortSignal }).catch((error: unknown) => {
            if (statusOf(error) !== 404) throw s3Failure(error, secrets);
          });
        }
        if (!page?.IsTruncated || page.NextKeyMarker === undefined) return;
        marker = {
          KeyMarker: page.NextKeyMarker,
          ...(page.NextUploadIdMarker === undefined ? {} : { UploadIdMarker: page.NextUploadIdMarker }),
        };
      }
    },

    async refusesWrongSum(key, abortSignal) {
      const request = new sdk.PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: Buffer.from('right'),
        ContentMD5: md5(Buffer.from('wrong')),
      });
      try {
        await s3.send(request, { abortSignal });
        return false;
      } catch (error) {
        if (statusOf(error) === 400) return true;
        throw s3Failure(error, secrets);
      }
    },

    async keepsLocked(key, abortSignal) {
      const place = { Bucket: bucket, Key: key };
      const body = Buffer.from('locked');
      const until = new Date(Date.now() + lockTrialMs);
      let VersionId: string | undefined;
      try {
        const configured = await s3.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: bucket }), {
          abortSignal,
        });
        if (configured.ObjectLockConfiguration?.ObjectLockEnabled !== 'Enabled') return false;
        const put = new sdk.PutObjectCommand({
          ...place,
          Body: body,
          ContentMD5: md5(body),
          ObjectLockMode: 'GOVERNANCE',
          ObjectLockRetainUntilDate: until,
        });
        VersionId = (await s3.send(put, { abortSignal })).VersionId;
      } catch (error) {
        const failure = s3Failure(error, secrets);
        // Not configured, not known to the service, or not allowed to us: no lock that we could count on.
        if (failure instanceof ObjectFailure && failure.kind !== 'transient') return false;
        throw failure;
      }
      const remove = () =>
        s3.send(
          new sdk.DeleteObjectCommand({ ...place, ...(VersionId === undefined ? {} : { VersionId }) }),
          {
            abortSignal,
          },
        );
      try {
        await remove();
        return false;
      } catch (error) {
        if (statusOf(error) !== 403) throw s3Failure(error, secrets);
      }
      await new Promise((resolve) => setTimeout(resolve, until.getTime() - Date.now() + 1000));
      await remove().catch(() => {}); // its retention is over: whoever cleans the bucket can delete it
      return true;
    },

    leases: (prefix, conditional) => claimLeases(client, prefix, { ttlMs: leaseMs, conditional }),
  };

  return client;
}

function md5(body: Buffer): string {
  return createHash('md5').update(body).digest('base64');
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}
