import { type ErrorCode, HoldfastError } from '../errors/index.ts';

/** One reason why something may not be done. */
export interface Refusal {
  code: ErrorCode;
  message: string;
  /** What to do instead, where the code's own action is too general. */
  action?: string;
}

/** Whether something may be done, and every reason against it. */
export type Judgement<Outcome = object> =
  | ({ allowed: true } & Outcome)
  | { allowed: false; refusals: readonly [Refusal, ...Refusal[]] };

/** The outcome, unless something speaks against it. */
export function judge<Outcome extends object>(
  refusals: readonly (Refusal | undefined)[],
  outcome: Outcome,
): Judgement<Outcome> {
  const [first, ...more] = refusals.filter((refusal) => refusal !== undefined);
  return first === undefined ? { allowed: true, ...outcome } : { allowed: false, refusals: [first, ...more] };
}

/** The error that a refused request is answered with: the first reason's code, and all reasons in its message. */
export function refusalError(refusals: readonly [Refusal, ...Refusal[]], target: string): HoldfastError {
  const [{ code, action }] = refusals;
  return new HoldfastError(code, refusals.map(({ message }) => message).join(' '), {
    target,
    ...(action !== undefined && { action }),
  });
}
