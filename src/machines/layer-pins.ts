/**
 * Which image files this process is reading, or is about to hand out, and into which it is merging. A merge starts
 * only while nothing pins its images; a point whose own image is being merged into is no longer handed out. Check and
 * mark happen in one call, without an await, so that neither side can miss the other.
 */
export class LayerPins {
  readonly #pinned = new Map<string, number>();
  readonly #mergedInto = new Set<string>();
  readonly #merged = new Set<string>();

  /** Keeps merges away from `paths`, the image that is read first in front. Undefined: a merge is changing that one. */
  pin(paths: readonly string[]): Disposable | undefined {
    const [top] = paths;
    if (top !== undefined && this.#mergedInto.has(top)) return undefined;
    const unique = new Set(paths);
    for (const path of unique) this.#pinned.set(path, (this.#pinned.get(path) ?? 0) + 1);
    return once(() => {
      for (const path of unique) {
        const count = (this.#pinned.get(path) ?? 1) - 1;
        if (count === 0) this.#pinned.delete(path);
        else this.#pinned.set(path, count);
      }
    });
  }

  isPinned(path: string): boolean {
    return this.#pinned.has(path);
  }

  /** Whether a merge of this process takes from the image, or writes to it. */
  isMerging(path: string): boolean {
    return this.#mergedInto.has(path) || this.#merged.has(path);
  }

  /** Begins a merge of `overlay` into `base`. Undefined: one of the two is pinned. */
  beginMerge(overlay: string, base: string): Disposable | undefined {
    if (this.isPinned(overlay) || this.isPinned(base)) return undefined;
    this.#mergedInto.add(base);
    this.#merged.add(overlay);
    return once(() => {
      this.#mergedInto.delete(base);
      this.#merged.delete(overlay);
    });
  }
}

function once(action: () => unknown): Disposable {
  let done = false;
  return {
    [Symbol.dispose]() {
      if (!done) action();
      done = true;
    },
  };
}
