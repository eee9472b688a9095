import { type ErrorCode, errorCatalogue } from './catalogue.ts';

/** One of several things that are wrong with what was sent. */
export interface ErrorDetail {
  /** Where, as the sender's document names it. */
  target: string;
  message: string;
}

export interface HoldfastErrorOptions {
  /** The failure underneath; kept, so that a log shows the whole chain. */
  cause?: unknown;
  /** What the error is about: a resource id, a path, a VM name. */
  target?: string;
  /** Replaces the catalogue's recommended action where the site knows a better one. */
  action?: string;
  /** What is wrong, one by one, where the message tells of several things. */
  details?: readonly ErrorDetail[];
}

/**
 * An expected failure: it has a code that scripts may rely on, a sentence for a person, and what to do next.
 * Everything else that is thrown is a bug and keeps its stack.
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly action: string;
  readonly target: string | undefined;
  readonly details: readonly ErrorDetail[];

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.action = options.action ?? errorCatalogue[code].action;
    this.target = options.target;
    this.details = options.details ?? [];
  }

  /** HTTP status the API answers with. */
  get status(): number {
    return errorCatalogue[this.code].status;
  }

  /** Whether the same call may succeed later without anyone changing anything. */
  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }
}

/** True when `error` is a {@link HoldfastError}, with one of `codes` if any are given. */
export function isHoldfastError(error: unknown, ...codes: ErrorCode[]): error is HoldfastError {
  return error instanceof HoldfastError && (codes.length === 0 || codes.includes(error.code));
}

/** The sentence of any thrown value, for logs and for messages that quote a cause. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
