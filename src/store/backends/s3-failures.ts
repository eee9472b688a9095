import { connectionFailure, isBug, withoutSecrets } from './client-failures.ts';
import { type FailureKind, ObjectFailure } from './object-client.ts';

/** What S3 and its likes call their errors, by what they mean to us; the rest goes by the HTTP status. */
const kinds: Record<string, FailureKind> = {
  NoSuchBucket: 'noPlace',
  SlowDown: 'transient',
  ServiceUnavailable: 'transient',
  InternalError: 'transient',
  RequestTimeout: 'transient',
  OperationAborted: 'transient',
  // The bytes arrived, but not as they left.
  BadDigest: 'transient',
  IncompleteBody: 'transient',
  XAmzContentSHA256Mismatch: 'transient',
  QuotaExceeded: 'full',
  QuotaExceededException: 'full',
  InsufficientStorage: 'full',
  XMinioStorageFull: 'full',
  XMinioAdminBucketQuotaExceeded: 'full',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  AccountProblem: 'denied',
  InvalidAccessKeyId: 'denied',
  InvalidToken: 'denied',
  ExpiredToken: 'denied',
  SignatureDoesNotMatch: 'denied',
  RequestTimeTooSkewed: 'denied',
  CredentialsProviderError: 'denied',
};

const checkCredentials =
  'Check the credentials (docs/stores.md): that the access key and its secret belong together and are not switched off, and what they may do in this bucket.';

const advice: Record<string, string> = {
  AccessDenied: checkCredentials,
  InvalidAccessKeyId: checkCredentials,
  SignatureDoesNotMatch: checkCredentials,
  InvalidToken: checkCredentials,
  ExpiredToken: 'The session token has run out: get new credentials.',
  RequestTimeTooSkewed:
    "Set this machine's clock right: the service refuses requests whose time is not its own.",
  PermanentRedirect: 'Give the region of the bucket: s3://BUCKET/PREFIX?region=REGION.',
  AuthorizationHeaderMalformed: 'Give the region of the bucket: s3://BUCKET/PREFIX?region=REGION.',
  CredentialsProviderError: 'Give a file with an access key (docs/stores.md).',
};

/** An error of the SDK as a failure; a bug stays one. Nothing of the SDK's object is kept: it holds the signed request. */
export function s3Failure(error: unknown, secrets: readonly string[]): unknown {
  if (error instanceof ObjectFailure || isBug(error)) return error;
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const text = withoutSecrets(message === 'UnknownError' || message === '' ? '' : `: ${message}`, secrets);
  const known = kinds[name];
  if (known !== undefined) return new ObjectFailure(known, `${name}${text}`, advice[name]);
  if (status === undefined || status < 300) return connectionFailure(error, secrets);
  const kind = kindOfStatus(status);
  // Answers to HEAD have no body, and so no name for what is wrong.
  const what = isNameless(name) ? (kind === 'denied' ? 'the credentials are refused' : 'refused') : name;
  const action = advice[name] ?? (kind === 'denied' ? checkCredentials : undefined);
  return new ObjectFailure(kind, `${what} (HTTP ${status})${text}`, action);
}

/** What the SDK calls errors that came without a name. */
function isNameless(name: string): boolean {
  return ['', 'Unknown', 'UnknownError', 'Error'].includes(name) || /^\d+$/.test(name);
}

function kindOfStatus(status: number): FailureKind {
  if (status === 401 || status === 403) return 'denied';
  if (status === 507) return 'full';
  if (status === 408 || status === 429 || (status >= 500 && status !== 501)) return 'transient';
  return 'refused';
}
