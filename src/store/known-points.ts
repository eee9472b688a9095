import { pointName } from './layout.ts';
import type { PointRecord } from './types.ts';

/**
 * What this process knows of the points in the store: their names, as it alone adds and deletes them, and the roots of
 * those whose records it has seen.
 */
export class KnownPoints {
  readonly #names = new Set<string>();
  readonly #rootsOf = new Map<string, string[]>();
  readonly #counts = new Map<string, number>();

  /** Names of the points' records. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  add(itemId: string, pointId: string): void {
    this.#names.add(pointName(itemId, pointId));
  }

  /** Takes note of a record that was read. One that has been deleted meanwhile is not believed. */
  note(record: PointRecord): void {
    const name = pointName(record.itemId, record.pointId);
    if (!this.#names.has(name) || this.#rootsOf.has(name)) return;
    const roots = record.disks.flatMap(({ disk }) => disk.root ?? []);
    this.#rootsOf.set(name, roots);
    for (const root of roots) this.#counts.set(root, (this.#counts.get(root) ?? 0) + 1);
  }

  /** To be called before the record is deleted: from then on its roots may lose what is under them. */
  forget(itemId: string, pointId: string): void {
    const name = pointName(itemId, pointId);
    this.#names.delete(name);
    for (const root of this.#rootsOf.get(name) ?? []) {
      const left = (this.#counts.get(root) ?? 0) - 1;
      if (left > 0) this.#counts.set(root, left);
      else this.#counts.delete(root);
    }
    this.#rootsOf.delete(name);
  }

  /** Whether a point in the store is known to have this root, and so everything under it. */
  isRoot(root: string): boolean {
    return this.#counts.has(root);
  }
}
