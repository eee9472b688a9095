/** `collection`, `replication`, `verification` and `repair` are phases of a vault, the others are phases of an item. */
export type Phase =
  | 'snapshot'
  | 'transfer'
  | 'maintenance'
  | 'collection'
  | 'replication'
  | 'verification'
  | 'repair';

const keyOf = (phase: Phase, id: string) => `${phase} ${id}`;

/**
 * Which items are in which phase right now. Per item at most one snapshot phase and one transfer phase run; a backup
 * may take its snapshot while an earlier one still transfers. Lives in memory: after a restart the jobs that are
 * taken up again enter their phases anew.
 */
export class PhaseGuard {
  readonly #held = new Set<string>();

  /** Enters a phase, or returns undefined when the item is in it already. Dispose to leave. */
  tryEnter(phase: Phase, id: string): Disposable | undefined {
    const key = keyOf(phase, id);
    if (this.#held.has(key)) return undefined;
    this.#held.add(key);
    return { [Symbol.dispose]: () => void this.#held.delete(key) };
  }

  isHeld(phase: Phase, id: string): boolean {
    return this.#held.has(keyOf(phase, id));
  }
}
