import type { FrozenPoint } from '../machines/index.ts';

/** What the catalog keeps of a frozen point in `frozen_json`; the definition is in a table of its own. */
export interface StoredPoint extends Omit<FrozenPoint, 'definition'> {
  /** What a VM had before its disks were replaced by those of another point: nobody's choice when asked for the latest. */
  isBeforeRestore?: boolean;
}
