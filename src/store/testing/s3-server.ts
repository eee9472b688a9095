import { createHash } from 'node:crypto';
import { startFauxqs } from 'fauxqs';
import { type Fault, type FaultProxy, type ProxiedRequest, startFaultProxy } from './fault-proxy.ts';

export interface TestS3 extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  /** The address of a store in the server's bucket. */
  place(prefix: string, bucket?: string): string;
}

const xml = { 'content-type': 'application/xml' };
const refusal = (status: number, code: string): Fault => ({
  kind: 'answer',
  status,
  headers: xml,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>refused by the test</Message></Error>`,
});

/**
 * A server that speaks S3, in this process and in memory (fauxqs), behind a proxy.
 *
 * fauxqs ignores three things that AWS does, and which a backend must not take for granted: the access key, Content-MD5,
 * and If-None-Match. With `strict` the proxy does what AWS documents for them; without, the server is as it is.
 */
export async function startTestS3({ strict }: { strict: boolean }): Promise<TestS3> {
  const server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false });
  server.createBucket('backups');
  const target = `http://127.0.0.1:${server.port}`;
  const credentials = { accessKeyId: 'AKIATESTKEY', secretAccessKey: 'test-secret-not-to-be-shown' };
  /** Names for which a conditional put is under way: of two, only one may find the name free. */
  const claimed = new Set<string>();

  async function asAws({ method, url, headers, body }: ProxiedRequest): Promise<Fault | undefined> {
    if (!headers.authorization?.includes(`Credential=${credentials.accessKeyId}/`))
      return refusal(403, 'InvalidAccessKeyId');
    const md5 = headers['content-md5'];
    if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64'))
      return refusal(400, 'BadDigest');
    if (method !== 'PUT' || headers['if-none-match'] !== '*') return undefined;
    if (claimed.has(url)) return refusal(409, 'ConditionalRequestConflict');
    claimed.add(url);
    try {
      const { status } = await fetch(`${target}${url}`, { method: 'HEAD' });
      if (status === 200) return refusal(412, 'PreconditionFailed');
      // Stored here rather than passed on, so that it is there before the next may look.
      await fetch(`${target}${url}`, { method: 'PUT', body: new Uint8Array(body) });
      return {
        kind: 'answer',
        status: 200,
        headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` },
      };
    } finally {
      claimed.delete(url);
    }
  }
  const proxy = await startFaultProxy(target, strict ? asAws : undefined);

  return {
    proxy,
    credentials,
    place: (prefix, bucket = 'backups') => `s3://${bucket}/${prefix}?endpoint=${proxy.endpoint}`,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}
