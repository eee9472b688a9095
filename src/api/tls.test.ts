import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureCertificate } from './tls.ts';

let directory: string;
const now = new Date('2026-06-01T00:00:00Z');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('makes a certificate for localhost and the address once, its key unreadable for others', async () => {
  const first = await ensureCertificate(directory, '127.0.0.1', now);
  const certificate = new X509Certificate(first.cert);
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect((await stat(join(directory, 'key.pem'))).mode & 0o777).toBe(0o600);
  expect(await ensureCertificate(directory, '127.0.0.1', now)).toEqual(first);
});

it('renews its own certificate before it expires, and when the address is another', async () => {
  const first = await ensureCertificate(directory, '127.0.0.1', now);
  const later = new Date(now.getTime() + 800 * 86_400_000);
  expect((await ensureCertificate(directory, '127.0.0.1', later)).cert).not.toBe(first.cert);
  const moved = await ensureCertificate(directory, '192.0.2.7', later);
  expect(new X509Certificate(moved.cert).checkIP('192.0.2.7')).toBe('192.0.2.7');
});

it('makes a new pair when key and certificate do not belong together', async () => {
  const first = await ensureCertificate(directory, '127.0.0.1', now);
  const other = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  const stranger = await ensureCertificate(other, '127.0.0.1', now);
  await rm(other, { recursive: true });
  await writeFile(join(directory, 'key.pem'), stranger.key);
  expect((await ensureCertificate(directory, '127.0.0.1', now)).cert).not.toBe(first.cert);
});

it('completes its own pair after a crash between its two files', async () => {
  const first = await ensureCertificate(directory, '127.0.0.1', now);
  await rm(join(directory, 'cert.pem'));
  expect((await ensureCertificate(directory, '127.0.0.1', now)).cert).not.toBe(first.cert);
  await rm(join(directory, 'key.pem'));
  const again = await ensureCertificate(directory, '127.0.0.1', now);
  expect(new X509Certificate(again.cert).checkPrivateKey(createPrivateKey(again.key))).toBe(true);
  await writeFile(join(directory, 'key.pem'), again.key.slice(0, 150));
  expect((await ensureCertificate(directory, '127.0.0.1', now)).cert).not.toBe(again.cert);
});

describe('a certificate of the user', () => {
  let cert: string;
  let key: string;
  let ownCert: string;
  let ownKey: string;

  beforeEach(async () => {
    const own = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
    ({ cert: ownCert, key: ownKey } = await ensureCertificate(own, '127.0.0.1', now));
    await rm(own, { recursive: true });
    const made = await generate([{ name: 'commonName', value: 'backup.example' }], {
      keyType: 'ec',
      notAfterDate: new Date(now.getTime() + 86_400_000),
    });
    cert = made.cert;
    key = made.private;
  });
  const put = async (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  };

  it('is used as it is, whatever its names and its end', async () => {
    await put({ 'cert.pem': cert, 'key.pem': key });
    expect(await ensureCertificate(directory, '192.0.2.7', now)).toMatchObject({ cert, key });
  });

  it.each([
    ['without its key', () => ({ 'cert.pem': cert })],
    ['whose key came alone', () => ({ 'key.pem': key })],
    ['with the key of another', () => ({ 'cert.pem': cert, 'key.pem': ownKey })],
    ['of ours with a key that is not', () => ({ 'cert.pem': ownCert, 'key.pem': key })],
    ['that is none', () => ({ 'cert.pem': 'nonsense', 'key.pem': key })],
    ['with a key that is none', () => ({ 'cert.pem': cert, 'key.pem': 'nonsense' })],
  ])('%s is refused and left alone', async (_name, filesOf) => {
    const files = filesOf();
    await put(files);
    await expect(ensureCertificate(directory, '127.0.0.1', now)).rejects.toMatchObject({
      code: 'TlsCertificateNotUsable',
    });
    for (const [name, text] of Object.entries(files))
      expect(await readFile(join(directory, name), 'utf8')).toBe(text);
  });
});
