import type { MemoryHost } from '../../machines/index.ts';

/** What guests wrote to their first disk, and when: to compare with what their recovery points hold. */
export class GuestContents {
  readonly #host: MemoryHost;
  readonly #versions = new Map<string, { from: Temporal.Instant; bytes: Buffer }[]>();

  constructor(host: MemoryHost) {
    this.#host = host;
  }

  /** A guest whose disk is empty until it writes. */
  begin(uuid: string, now: Temporal.Instant): void {
    this.#versions.set(uuid, [{ from: now, bytes: Buffer.from(this.#host.contentOf(uuid, 'vda')) }]);
  }

  /** The guest, which is there, writes something somewhere. */
  write(uuid: string, now: Temporal.Instant): void {
    const versions = this.#versions.get(uuid);
    const before = versions?.at(-1);
    if (versions === undefined || before === undefined) throw new Error(`nobody began ${uuid}`);
    const bytes = Buffer.from(before.bytes);
    const at = 4096 * (versions.length % 16);
    const written = new Uint8Array(64).fill(versions.length);
    bytes.set(written, at);
    this.#host.write(uuid, 'vda', at, written);
    versions.push({ from: now, bytes });
  }

  at(uuid: string, moment: Temporal.Instant): Buffer | undefined {
    return this.#versions.get(uuid)?.findLast(({ from }) => Temporal.Instant.compare(from, moment) <= 0)
      ?.bytes;
  }
}
