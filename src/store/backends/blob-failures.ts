import { connectionFailure, isBug, withoutSecrets } from './client-failures.ts';
import { type FailureKind, ObjectFailure } from './object-client.ts';

/** What Azure Blob calls its errors, by what they mean to us; the rest goes by the HTTP status. */
const kinds: Record<string, FailureKind> = {
  ContainerNotFound: 'noPlace',
  ContainerBeingDeleted: 'noPlace',
  ContainerDisabled: 'noPlace',
  ServerBusy: 'transient',
  InternalError: 'transient',
  OperationTimedOut: 'transient',
  Md5Mismatch: 'transient', // the bytes arrived, but not as they left
  AccountIsDisabled: 'denied',
  InsufficientAccountPermissions: 'denied',
  AuthenticationFailed: 'denied',
  AuthorizationFailure: 'denied',
  AuthorizationPermissionMismatch: 'denied',
  NoAuthenticationInformation: 'denied',
};

const advice: Record<string, string> = {
  AuthenticationFailed:
    "Check the account key or the shared access signature (has it run out?), and that this machine's clock is right.",
};

/** An error of the SDK as a failure; a bug stays one. Nothing of the SDK's object is kept: it holds the signed request. */
export function blobFailure(error: unknown, secrets: readonly string[]): unknown {
  if (error instanceof ObjectFailure || isBug(error)) return error;
  const status = statusOf(error);
  const code = codeOf(error) ?? '';
  if (status === undefined || status < 300) return connectionFailure(error, secrets);
  // Azurite's word for a sum that does not match is its word for much else.
  const isSum = status === 400 && /md5/i.test((error as Error).message);
  const known = kinds[code] ?? (isSum ? 'transient' : kindOfStatus(status));
  // The first line: what follows are request ids, and for refused signatures what was signed.
  const [line = ''] = (error as Error).message.split('\n');
  const text = known === 'denied' ? '' : `: ${withoutSecrets(line, secrets)}`;
  return new ObjectFailure(known, `${code || 'refused'} (HTTP ${status})${text}`, advice[code]);
}

export function statusOf(error: unknown): number | undefined {
  const { statusCode } = (error ?? {}) as { statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : undefined;
}

/** The service's word for it: from the body, or where there is none (answers to HEAD) from the header. */
export function codeOf(error: unknown): string | undefined {
  const { code, details } = (error ?? {}) as { code?: unknown; details?: { errorCode?: unknown } };
  const found = details?.errorCode ?? code;
  return typeof found === 'string' ? found : undefined;
}

function kindOfStatus(status: number): FailureKind {
  if (status === 401 || status === 403) return 'denied';
  if (status === 507) return 'full';
  if (status === 408 || status === 429 || (status >= 500 && status !== 501)) return 'transient';
  return 'refused';
}
