import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { openBackend } from './open-backend.ts';
import { parseStoreCredentials } from './store-credentials.ts';
import { parseStoreLocation } from './store-location.ts';

describe('the place of a store', () => {
  test('is a path, or an address of S3 or Azure Blob', () => {
    expect(parseStoreLocation('/srv/v1')).toMatchObject({ kind: 'directory', path: '/srv/v1' });
    expect(parseStoreLocation('s3://backups')).toEqual({
      kind: 's3',
      description: 's3://backups',
      bucket: 'backups',
      prefix: '',
      endpoint: undefined,
      region: 'us-east-1',
      pathStyle: false,
    });
    expect(
      parseStoreLocation('s3://backups/site/v1/?endpoint=https://minio.lan:9000/&region=eu-1'),
    ).toMatchObject({
      prefix: 'site/v1',
      endpoint: 'https://minio.lan:9000',
      region: 'eu-1',
      pathStyle: true,
    });
    expect(parseStoreLocation('s3://b-1/x?endpoint=https://h&path-style=false')).toMatchObject({
      pathStyle: false,
    });
    expect(parseStoreLocation('azblob://acme/backups/v1')).toMatchObject({
      account: 'acme',
      container: 'backups',
      prefix: 'v1',
      endpoint: 'https://acme.blob.core.windows.net',
    });
  });

  test.each([
    'relative/path',
    'gs://bucket/x',
    's3://',
    's3://ab',
    's3://bucket/../x',
    's3://bucket//x',
    's3://bucket/x?secret=1',
    's3://bucket/x?endpoint=ftp://h',
    's3://bucket/x?endpoint=https://user:pw@h',
    's3://bucket/x?region=a&region=b',
    's3://bucket/x?path-style=maybe',
    's3://bucket:9000/x',
    'azblob://acme',
    'azblob://ACME_1/backups',
    'azblob://acme/B',
  ])('is not %s', (text) => {
    expect(() => parseStoreLocation(text)).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
  });

  test('never takes credentials, nor repeats them', () => {
    for (const text of ['s3://AKIA:topsecret@bucket/x', 's3://bucket/x?secretAccessKey=topsecret'])
      try {
        parseStoreLocation(text);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'InvalidInput' });
        expect(JSON.stringify({ ...(error as Error), message: (error as Error).message })).not.toContain(
          'topsecret',
        );
      }
  });
});

describe('the credentials of a store', () => {
  test('are those of its kind', () => {
    const keys = { accessKeyId: 'AKIA', secretAccessKey: 's' };
    expect(parseStoreCredentials('s3', keys)).toEqual(keys);
    expect(parseStoreCredentials('azblob', { sasToken: '?sv=1' })).toEqual({ sasToken: '?sv=1' });
  });

  test.each([
    ['s3', undefined],
    ['s3', []],
    ['s3', { accessKeyId: 'topsecret' }],
    ['s3', { accessKeyId: 'a', secretAccessKey: 'b', topsecret: 'c' }],
    ['s3', { accessKeyId: 'a', secretAccessKey: 1 }],
    ['s3', { accessKeyId: 'a', secretAccessKey: 'topsecret\nx' }],
    ['azblob', { accountKey: 'topsecret', sasToken: 'topsecret' }],
    ['azblob', {}],
    ['directory', { accountKey: 'topsecret' }],
  ] as const)('for %s are not %j', (kind, value) => {
    let message = '';
    try {
      parseStoreCredentials(kind, value);
    } catch (error) {
      expect(error).toMatchObject({ code: 'InvalidInput' });
      message = (error as Error).message;
    }
    expect(message).not.toBe('');
    expect(message).not.toContain('topsecret');
  });

  test('are needed for Azure Blob', async () => {
    await expect(openBackend('azblob://acme/backups')).rejects.toMatchObject({ code: 'InvalidInput' });
  });
});

test('a store in a directory loads none of the clients', () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    const { openBackend } = await import('./open-backend.ts');
    const count = () => loaded.filter((url) => /node_modules\\/@(aws-sdk|azure|smithy)\\//.test(url)).length;
    await openBackend('/nowhere');
    const before = count();
    await openBackend('s3://bucket/x', { credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
    console.log(JSON.stringify({ before, after: count() }));
    process.exit();
  `;
  const options = { cwd: import.meta.dirname, encoding: 'utf8' as const, timeout: 30_000 };
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], options);
  const { before, after } = JSON.parse(output) as { before: number; after: number };
  expect(before).toBe(0);
  expect(after).toBeGreaterThan(0); // or the count would prove nothing
});
