import { createHash } from 'node:crypto';
import {
  addSignInFailure,
  clearSignInFailures,
  type Database,
  findSignInFailures,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';

/** Failures within the window after which nobody gets in under that name, or from that address. */
const mostFailures = { name: 10, address: 50 };
const windowMs = 15 * 60_000;

/** Sign-ins that are checked at the same time, and that wait for it; a password check takes 19 MiB and 40 ms. */
const atOnce = 2;
const mostWaiting = 32;

/**
 * The bound on guessing: by name (of a person or client, whether there is one or not) and by network address. The counts
 * are in the catalog, so that a restart does not forget them and several services share them.
 */
export class Attempts {
  readonly #db: Database;
  readonly #now: () => number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param now milliseconds since 1970 */
  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /**
   * Runs one check of a secret. Undefined from `check` is a failure, which is counted; anything else clears the count of
   * the name. @throws TooManyAttempts before checking anything, for a name or address that has failed too often
   */
  async guard<T>(
    { name, address }: { name: string; address: string },
    check: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const nameKey = keyOf('name', name.toLowerCase());
    const addressKey = keyOf('address', address);
    await this.#enter();
    try {
      const after = new Date(this.#now() - windowMs).toISOString();
      const failed = await findSignInFailures(this.#db, [nameKey, addressKey], after);
      const tooMany = failed.find(
        ({ key, failures }) => failures >= (key === nameKey ? mostFailures.name : mostFailures.address),
      );
      if (tooMany !== undefined) throw tooManyAttempts();
      const result = await check();
      if (result !== undefined) await clearSignInFailures(this.#db, [nameKey]);
      else {
        const now = new Date(this.#now()).toISOString();
        await addSignInFailure(this.#db, [nameKey, addressKey], { now, after });
      }
      return result;
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < atOnce) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= mostWaiting) throw tooManyAttempts();
    // Whoever leaves hands over its place.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}

/** Names are kept as hashes: people type passwords into the wrong field. */
const keyOf = (kind: string, text: string) =>
  createHash('sha256').update(`${kind} ${text}`).digest('base64url');

const tooManyAttempts = () =>
  new HoldfastError('TooManyAttempts', 'There were too many failed attempts to sign in.');
