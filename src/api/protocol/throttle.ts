/** How many requests one principal may make: `burst` at once, and `perSecond` of them back every second. */
export interface ThrottleLimits {
  burst: number;
  perSecond: number;
}

/** Far above what a person, a portal or a sane script asks; below what would starve everybody else. */
export const defaultThrottle: ThrottleLimits = { burst: 3000, perSecond: 300 };

/** Principals remembered at once; whoever was quiet longest is forgotten first, and has a full bucket again. */
const maxPrincipals = 1000;

export type Admission =
  | { admitted: true; remaining: number }
  | { admitted: false; retryAfterSeconds: number };

/** A token bucket for each principal. */
export class Throttle {
  readonly #limits: ThrottleLimits;
  readonly #nowMs: () => number;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** @param nowMs a monotonic clock */
  constructor(limits: ThrottleLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** Takes one request out of the principal's bucket, or says when there is one again. */
  admit(principal: string): Admission {
    const now = this.#nowMs();
    const { burst, perSecond } = this.#limits;
    const known = this.#buckets.get(principal);
    const tokens =
      known === undefined
        ? burst
        : Math.min(burst, known.tokens + (Math.max(0, now - known.atMs) / 1000) * perSecond);
    const admitted = tokens >= 1;
    this.#buckets.delete(principal); // inserted anew: a Map's order is that of insertion
    this.#buckets.set(principal, { tokens: admitted ? tokens - 1 : tokens, atMs: now });
    if (this.#buckets.size > maxPrincipals) {
      const [quietest] = this.#buckets.keys();
      if (quietest !== undefined) this.#buckets.delete(quietest);
    }
    if (admitted) return { admitted, remaining: Math.floor(tokens - 1) };
    return { admitted, retryAfterSeconds: Math.min(5, Math.max(1, Math.ceil((1 - tokens) / perSecond))) };
  }
}
