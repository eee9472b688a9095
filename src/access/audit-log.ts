import { createHash } from 'node:crypto';
import { type AuditRow, auditAfter, type Database, insertAuditRow, lastAuditRow } from '../catalog/index.ts';

/** What happened, as whoever notes it knows it. */
export type AuditEntry = Omit<AuditRow, 'seq' | 'at' | 'hash' | 'previous_hash'>;

/** How often another service may be quicker with a line before something is wrong. */
const mostTries = 100;

const pageSize = 1000;

/**
 * The log of who did what. A line is added and never changed, and holds the hash of the one before: whoever changes or
 * removes a line must forge all that follow. What was cut off at the end is not noticed by that.
 */
export class AuditLog {
  readonly #db: Database;
  readonly #now: () => number;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param now milliseconds since 1970 */
  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** Adds a line; when it returns, the line is durable. */
  append(entry: AuditEntry): Promise<void> {
    const next = this.#turn.then(() => this.#append(entry));
    this.#turn = next.catch(() => {});
    return next;
  }

  async #append(entry: AuditEntry): Promise<void> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const last = await lastAuditRow(this.#db);
      const row = {
        ...entry,
        seq: (last?.seq ?? 0) + 1,
        at: new Date(this.#now()).toISOString(),
        previous_hash: last?.hash ?? '',
      };
      if (await insertAuditRow(this.#db, { ...row, hash: hashOf(row) })) return;
    }
    throw new Error(`the audit log was taken ${mostTries} times in a row by another`);
  }

  /** Reads the whole log. @returns how many lines there are, and the first number at which the chain is broken */
  async verify(signal?: AbortSignal): Promise<{ entries: number; brokenAt?: number }> {
    let previous = { seq: 0, hash: '' };
    for (;;) {
      signal?.throwIfAborted();
      const rows = await auditAfter(this.#db, previous.seq, pageSize);
      for (const row of rows) {
        const follows = row.seq === previous.seq + 1 && row.previous_hash === previous.hash;
        if (!follows || row.hash !== hashOf(row)) return { entries: row.seq, brokenAt: previous.seq + 1 };
        previous = row;
      }
      if (rows.length < pageSize) return { entries: previous.seq };
    }
  }
}

function hashOf(row: Omit<AuditRow, 'hash'>): string {
  const fields = [
    row.previous_hash,
    row.seq,
    row.at,
    row.principal_id,
    row.principal_name,
    row.action,
    row.resource,
    row.status,
    row.http_status,
    row.request_id,
    row.address,
  ];
  return createHash('sha256').update(JSON.stringify(fields)).digest('base64url');
}
