import { HoldfastError } from '../../errors/index.ts';
import { ObjectFailure } from './object-client.ts';

/** Errors that say something of our code, or that we threw ourselves: not of the service. */
export function isBug(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof HoldfastError) return true;
  const hasAnswer = '$metadata' in error || 'statusCode' in error || 'code' in error;
  return !hasAnswer && [TypeError, RangeError, ReferenceError].some((bug) => error instanceof bug);
}

/** `text` with every secret, and whatever looks like the signature of an address, taken out. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text.replace(/\b(sig|X-Amz-[A-Za-z-]+)=[^&\s"']+/gi, '$1=(hidden)');
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret)])
      if (form.length > 0) clean = clean.replaceAll(form, '(hidden)');
  }
  return clean.replaceAll(/\s+/g, ' ').trim();
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/;

/** No answer, or one that broke off or could not be understood. Tried again, unless it is the certificate. */
export function connectionFailure(error: unknown, secrets: readonly string[]): ObjectFailure {
  const { message, name, code, cause } = error as Error & { code?: unknown };
  const inner = cause instanceof Error ? ` (${cause.message})` : '';
  const text = withoutSecrets(`${message || name}${inner}`, secrets);
  if (certificateCodes.test(String(code ?? '')))
    return new ObjectFailure(
      'refused',
      text,
      'Start the service with NODE_EXTRA_CA_CERTS naming the certificate authority of the endpoint.',
    );
  return new ObjectFailure('transient', text);
}
