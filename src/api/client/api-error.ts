import { type ErrorCode, type ErrorDetail, errorCatalogue } from '../../errors/index.ts';
import { errorBody } from './shapes.ts';

/**
 * The service's refusal or failure. `code` is what scripts rely on; a newer service may send codes that this
 * program's catalogue does not have, so it is text. Failures of the way to the service are `HoldfastError`s.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  /** What to do about it; absent when neither the answer nor the catalogue says. */
  readonly action: string | undefined;
  /** What is wrong, one by one, where the message tells of several things. */
  readonly details: readonly ErrorDetail[];
  /** HTTP status of the answer. */
  readonly status: number;
  /** The service's id of the request, to find it in the service's log. */
  readonly requestId: string | undefined;
  /** The answer's body as it came, where it was an error body. */
  readonly body: unknown;

  constructor(
    code: string,
    message: string,
    answer: {
      status: number;
      action?: string | undefined;
      details?: readonly ErrorDetail[] | undefined;
      requestId?: string | undefined;
      body?: unknown;
    },
  ) {
    super(message);
    this.code = code;
    this.action = answer.action ?? catalogued(code)?.action;
    this.details = answer.details ?? [];
    this.status = answer.status;
    this.requestId = answer.requestId;
    this.body = answer.body;
  }
}

function catalogued(code: string) {
  return Object.hasOwn(errorCatalogue, code) ? errorCatalogue[code as ErrorCode] : undefined;
}

/** Reads the error body of an answer; undefined when the body is no such thing. */
export function apiErrorOf(
  status: number,
  body: unknown,
  requestId: string | undefined,
): ApiError | undefined {
  const parsed = errorBody.safeParse(body);
  if (!parsed.success) return undefined;
  const { code, message, details, additionalInfo } = parsed.data.error;
  const advice = additionalInfo?.find((info) => info.type === 'RecommendedAction')?.info ?? {};
  const action = typeof advice.action === 'string' ? advice.action : undefined;
  return new ApiError(code, message, {
    status,
    action,
    details: details?.map((detail) => ({ target: detail.target ?? '', message: detail.message })),
    requestId,
    body,
  });
}

/** A long operation that ended badly: it has a code and a sentence, but no HTTP status of its own. */
export function operationErrorOf(error: { code: string; message: string }): ApiError {
  return new ApiError(error.code, error.message, { status: catalogued(error.code)?.status ?? 500 });
}
