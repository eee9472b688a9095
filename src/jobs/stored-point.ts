import type { FrozenPoint } from '../machines/index.ts';

/** What the catalog keeps of a frozen point in `frozen_json`; the definition is in a table of its own. */
export type StoredPoint = Omit<FrozenPoint, 'definition'>;
