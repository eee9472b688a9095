import type { Backend } from '../backend.ts';
import { quarantineName } from '../layout.ts';
import { encodeQuarantine, frameListLimit, type QuarantineRecord } from './quarantine-record.ts';

interface Entry {
  frames: Set<number>;
  all: boolean;
  container: string | undefined;
  salvaged: boolean;
}

/**
 * Which frames and packs must not be relied upon, in memory and as one small document for each pack with damage, so that
 * a writer stores their content anew also after a restart. Keyed by pack id and offset, and nothing else: it needs no
 * index. Changes are in force at once and are made durable in the background; {@link saved} waits for that.
 */
export class Quarantine {
  readonly #backend: Backend;
  readonly #entries = new Map<string, Entry>();
  /** Packs whose document differs from what is in memory. */
  readonly #unsaved = new Set<string>();
  #saving: Promise<void> | undefined;
  #isStopped = false;

  constructor(backend: Backend, records: Iterable<QuarantineRecord> = []) {
    this.#backend = backend;
    for (const { pack, frames, all, container, salvaged } of records)
      this.#entries.set(pack, { frames: new Set(frames), all, container, salvaged });
  }

  get packs(): number {
    return this.#entries.size;
  }

  /** Frames that are listed; packs that are in it whole count for none. */
  get frames(): number {
    let sum = 0;
    for (const { frames } of this.#entries.values()) sum += frames.size;
    return sum;
  }

  /** Whether any frame must not be relied upon. */
  get hasBadFrames(): boolean {
    for (const { all, frames } of this.#entries.values()) if (all || frames.size > 0) return true;
    return false;
  }

  *records(): Generator<QuarantineRecord> {
    for (const [pack, entry] of this.#entries) yield recordOf(pack, entry);
  }

  get(pack: string): QuarantineRecord | undefined {
    const entry = this.#entries.get(pack);
    return entry && recordOf(pack, entry);
  }

  isBad(pack: string, offset: number): boolean {
    const entry = this.#entries.get(pack);
    return entry !== undefined && (entry.all || entry.frames.has(offset));
  }

  /** A frame turned out to be unreadable. */
  note(pack: string, offset: number): void {
    const entry = this.#entry(pack);
    if (entry.all || entry.frames.has(offset)) return;
    entry.frames.add(offset);
    if (entry.frames.size > frameListLimit) {
      entry.all = true;
      entry.frames.clear();
    }
    this.#change(pack);
  }

  /** A frame has just been read and found good. One of a pack that is in it whole stays: that is for {@link settle}. */
  clear(pack: string, offset: number): void {
    const entry = this.#entries.get(pack);
    if (entry === undefined || !entry.frames.delete(offset)) return;
    this.#change(pack);
  }

  /** Everything that is known of a pack, once all of it has been looked at; nothing wrong takes it out. */
  settle(
    pack: string,
    found: { frames: Iterable<number>; all?: boolean; container?: string | undefined; salvaged?: boolean },
  ): void {
    const frames = new Set(found.frames);
    const all = found.all === true || frames.size > frameListLimit;
    if (all) frames.clear();
    const { container, salvaged = false } = found;
    const before = this.#entries.get(pack);
    const isSame =
      before !== undefined &&
      before.all === all &&
      before.container === container &&
      before.salvaged === salvaged &&
      before.frames.size === frames.size &&
      before.frames.isSubsetOf(frames);
    if (isSame) return;
    this.#entries.set(pack, { frames, all, container, salvaged });
    this.#change(pack);
  }

  /** The pack has gone, or has been written anew. */
  forget(pack: string): void {
    if (!this.#entries.delete(pack)) return;
    this.#change(pack);
  }

  /** Makes the document of a pack what it should be, whatever it is. Rejects when that cannot be done. */
  async rewrite(pack: string): Promise<void> {
    this.#unsaved.add(pack);
    if (!(await this.saved())) throw new Error(`${quarantineName(pack)} cannot be written`);
  }

  /** Nothing is written from now on: the place belongs to somebody else. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when what was known at the call is durable. False when it could not be written: it is tried again later. */
  async saved(): Promise<boolean> {
    await this.#saving;
    if (this.#unsaved.size > 0) await this.#save();
    return this.#unsaved.size === 0;
  }

  #entry(pack: string): Entry {
    let entry = this.#entries.get(pack);
    if (entry === undefined) {
      entry = { frames: new Set(), all: false, container: undefined, salvaged: false };
      this.#entries.set(pack, entry);
    }
    return entry;
  }

  #change(pack: string): void {
    const entry = this.#entries.get(pack);
    if (entry !== undefined && !entry.all && entry.frames.size === 0 && entry.container === undefined)
      this.#entries.delete(pack);
    this.#unsaved.add(pack);
    void this.#save();
  }

  /** One at a time, and each pack as it is when its turn comes. Never rejects: whoever reads is not to fail by it. */
  #save(): Promise<void> {
    this.#saving ??= (async () => {
      await Promise.resolve(); // what is noted in the same turn goes into the same document
      try {
        for (const pack of this.#unsaved) {
          if (this.#isStopped) return;
          this.#unsaved.delete(pack);
          try {
            await this.#put(pack);
          } catch {
            this.#unsaved.add(pack);
            return; // full, or away: the mark in memory holds until then
          }
        }
      } finally {
        this.#saving = undefined;
      }
    })();
    return this.#saving;
  }

  async #put(pack: string): Promise<void> {
    const entry = this.#entries.get(pack);
    const name = quarantineName(pack);
    if (entry === undefined) await this.#backend.delete(name);
    else await this.#backend.put(name, [encodeQuarantine(recordOf(pack, entry))]);
  }
}

function recordOf(pack: string, { frames, all, container, salvaged }: Entry): QuarantineRecord {
  return {
    pack,
    frames: [...frames].sort((a, b) => a - b),
    all,
    salvaged,
    ...(container === undefined ? {} : { container }),
  };
}
