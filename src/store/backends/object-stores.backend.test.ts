import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { backendContract } from '../testing/backend-contract.ts';
import { startTestBlob, type TestBlob } from '../testing/blob-server.ts';
import { startTestS3, type TestS3 } from '../testing/s3-server.ts';
import { openBackend } from './open-backend.ts';

let strictS3: TestS3;
let plainS3: TestS3;
let blob: TestBlob;
beforeAll(async () => {
  [strictS3, plainS3, blob] = await Promise.all([
    startTestS3({ strict: true }),
    startTestS3({ strict: false }),
    startTestBlob(),
  ]);
});
afterAll(async () => {
  for (const server of [strictS3, plainS3, blob]) await server[Symbol.asyncDispose]();
});

const options = { leaseMs: 3_000, rules: { tries: 3, baseMs: 5, timeoutMs: 5_000 } };
const backendOf = (server: TestS3 | TestBlob) =>
  openBackend(server.place(`p/${randomUUID()}`), { ...options, credentials: server.credentials });

backendContract('S3 that does as AWS does', () => backendOf(strictS3));
backendContract('S3 without conditional puts and sums', () => backendOf(plainS3));
backendContract('Azure Blob', () => backendOf(blob));
