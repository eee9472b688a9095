import { expect, test } from 'vitest';
import { ObjectFailure } from './object-client.ts';
import { s3Failure } from './s3-failures.ts';

/** As the SDK throws it. */
function sdkError(name: string, httpStatusCode: number, message = name): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
}

test.each([
  ['Unknown', 403, 'UnknownError'], // the answer to a HEAD
  ['403', 403, 'UnknownError'],
  ['InvalidAccessKeyId', 403, 'The key does not exist.'],
  ['SignatureDoesNotMatch', 403, 'They differ.'],
])('credentials refused as %s say what to check', (name, status, message) => {
  const failure = s3Failure(sdkError(name, status, message), []);
  if (!(failure instanceof ObjectFailure)) throw new Error('not a failure of the service');
  expect(failure.kind).toBe('denied');
  expect(failure.message).not.toMatch(/unknown/i);
  expect(failure.advice).toContain('Check the credentials');
});

test('a failure without a name that is not about credentials says no more than it knows', () => {
  const failure = s3Failure(sdkError('Unknown', 409, 'UnknownError'), []);
  expect(failure).toMatchObject({ kind: 'refused', message: 'refused (HTTP 409)', advice: undefined });
});
