import type { FastifyError } from 'fastify';
import { HoldfastError } from '../../errors/index.ts';
import type { ErrorBody } from '../client/index.ts';

/** Refusals of the HTTP layer itself: too large, unknown content type, malformed URL. Undefined for anything else. */
export function inputErrorOf(error: FastifyError | HoldfastError): HoldfastError | undefined {
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (status === undefined || status >= 500) return undefined;
  if (status === 413)
    return new HoldfastError('RequestContentTooLarge', 'The request body is too large.', { cause: error });
  if (status === 415)
    return new HoldfastError('UnsupportedMediaType', 'The request body is of a kind that is not taken.', {
      cause: error,
    });
  return new HoldfastError('InvalidInput', error.message, { cause: error });
}

/** Azure's body of an error, with what to do about it. */
export function errorBodyOf(error: HoldfastError): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      ...(error.target === undefined ? {} : { target: error.target }),
      ...(error.details.length === 0
        ? {}
        : { details: error.details.map((detail) => ({ code: error.code, ...detail })) }),
      additionalInfo: [{ type: 'RecommendedAction', info: { action: error.action } }],
    },
  };
}
