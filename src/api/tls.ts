import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { generate } from 'selfsigned';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { makeDirectoryDurable, writeFileDurable } from '../platform/index.ts';

/** What our own certificates are named. */
const ownCommonName = 'Holdfast self-signed';
/** How our own keys begin; PEM allows text before the key, and a key has no name to tell it by. */
const ownKeyComment = `# ${ownCommonName}: made by the service, and replaced by it.\n`;
const lifetimeDays = 825;
const renewBeforeDays = 30;

export interface TlsFiles {
  key: string;
  cert: string;
  /** Path of the certificate, which clients trust. */
  certPath: string;
}

/**
 * The service's certificate from `directory` (`cert.pem`, `key.pem`), made at the first start. A pair that we made is
 * renewed when it is about to expire, does not name `host`, or is incomplete after a crash; a certificate or key of the
 * user's is only ever read.
 * @throws TlsCertificateNotUsable when what the user put there is no pair
 */
export async function ensureCertificate(directory: string, host: string, now: Date): Promise<TlsFiles> {
  const certPath = join(directory, 'cert.pem');
  const keyPath = join(directory, 'key.pem');
  const cert = await readIfThere(certPath);
  const key = await readIfThere(keyPath);
  const ours =
    (cert === undefined || isOwnCertificate(cert)) && (key === undefined || key.startsWith(ownKeyComment));
  if (!ours) return { ...usersPair(cert, key, directory), certPath };
  if (cert !== undefined && key !== undefined && isWhole(cert, key) && !needsRenewal(cert, host, now))
    return { key, cert, certPath };
  const made = await makeCertificate(host, now);
  await makeDirectoryDurable(directory, 0o700);
  await writeFileDurable(keyPath, made.key, { mode: 0o600 });
  await writeFileDurable(certPath, made.cert, { mode: 0o644 });
  return { ...made, certPath };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HoldfastError('TlsCertificateNotUsable', `${path} can't be read: ${messageOf(error)}.`, {
      cause: error,
      target: path,
    });
  }
}

/** @throws TlsCertificateNotUsable */
function usersPair(cert: string | undefined, key: string | undefined, directory: string) {
  const refuse = (why: string, cause?: unknown) =>
    new HoldfastError('TlsCertificateNotUsable', `The certificate in ${directory} can't be used: ${why}.`, {
      cause,
      target: directory,
    });
  if (cert === undefined) throw refuse('there is a key (key.pem) but no certificate (cert.pem)');
  if (key === undefined) throw refuse('there is a certificate (cert.pem) but no key (key.pem)');
  let fits: boolean;
  try {
    fits = isPair(cert, key);
    createSecureContext({ cert, key });
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  if (!fits) throw refuse('the key (key.pem) is not that of the certificate (cert.pem)');
  return { cert, key };
}

const isPair = (cert: string, key: string): boolean =>
  new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));

/** Of our own files: a damaged key is as good as none. */
function isWhole(cert: string, key: string): boolean {
  try {
    return isPair(cert, key);
  } catch {
    return false;
  }
}

/** What can't be read as a certificate was not written by us: our files are replaced whole or not at all. */
function isOwnCertificate(pem: string): boolean {
  try {
    const { subject, issuer } = new X509Certificate(pem);
    return subject === `CN=${ownCommonName}` && issuer === subject;
  } catch {
    return false;
  }
}

function needsRenewal(pem: string, host: string, now: Date): boolean {
  const certificate = new X509Certificate(pem);
  const expires = new Date(certificate.validTo).getTime();
  if (expires - now.getTime() < renewBeforeDays * 86_400_000) return true;
  const names = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  return names === undefined && !isWildcard(host);
}

const isWildcard = (host: string) => host === '0.0.0.0' || host === '::';

async function makeCertificate(host: string, now: Date): Promise<{ key: string; cert: string }> {
  const names = new Set(['localhost', hostname(), ...(isIP(host) === 0 ? [host] : [])]);
  const addresses = new Set(['127.0.0.1', '::1', ...(isIP(host) === 0 || isWildcard(host) ? [] : [host])]);
  const { private: key, cert } = await generate([{ name: 'commonName', value: ownCommonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now.getTime() - 3_600_000),
    notAfterDate: new Date(now.getTime() + lifetimeDays * 86_400_000),
    extensions: [
      // Trusting it must not mean trusting what its key might sign.
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...[...names].map((value) => ({ type: 2 as const, value })),
          ...[...addresses].map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { key: ownKeyComment + key, cert };
}
