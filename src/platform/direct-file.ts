import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * Bulk data of a backup passes the page cache by (`O_DIRECT`): it is written once and read once, and would push out what
 * the guests and the host have in there. It is cheaper too: no copy, and no fresh memory for the kernel to fetch, which
 * on a virtual machine costs more than the write itself (measured: 0.1 s of system time a GiB instead of 0.3 to 2.4).
 *
 * The kernel asks for memory, place and length that are multiples of a block. What does not fit, and everything on a
 * file system that knows no direct access, goes through the page cache; the two may be mixed in one file.
 */
const blockBytes = 4096;

/** Below this the page cache is quicker than a wait for the medium. */
const worthwhileBytes = 256 * 1024;

/** Longer writes into the page cache take memory in large pieces, which has to be fetched anew every time. */
const longestCachedWrite = 1024 * 1024;

/** Shared memory that begins at a page, as direct access requires. Views of it at multiples of 4096 are as good. */
export function alignedMemory(bytes: number): SharedArrayBuffer {
  // Memory that might grow is mapped for itself; any other may come from the heap, at any address.
  return new SharedArrayBuffer(bytes, { maxByteLength: bytes });
}

/** How many bytes of memory a direct read of a range of `length` bytes may need, wherever it begins. */
export function directRoom(length: number): number {
  return length + 2 * blockBytes;
}

function isAligned({ buffer, byteOffset }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer && buffer.growable && byteOffset % blockBytes === 0;
}

/** Writes to an open file, past the page cache where it can. The file's owner syncs and closes it as ever. */
export class DirectWriter implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #direct: DirectHandle;

  constructor(file: FileHandle) {
    this.#file = file;
    this.#direct = new DirectHandle(file, constants.O_RDWR);
  }

  /** `data` must not be changed meanwhile. Several writes may be under way. */
  async write(data: Uint8Array, position: number): Promise<void> {
    let at = 0;
    if (isWorthwhile(data, position)) {
      const direct = await this.#direct.open();
      const whole = data.length - (data.length % blockBytes);
      while (direct !== undefined && at < whole) {
        const bytesWritten = await unlessRefused(direct.write(data, at, whole - at, position + at));
        // An odd count is the beginning of a failure (a full disk): the other road goes on from there, and meets it.
        at += bytesWritten ?? 0;
        if (bytesWritten === undefined || at % blockBytes !== 0) break;
      }
    }
    while (at < data.length) {
      const length = Math.min(longestCachedWrite, data.length - at);
      at += (await this.#file.write(data, at, length, position + at)).bytesWritten;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#direct[Symbol.asyncDispose]();
  }
}

/** Reads an open file, past the page cache where it can. The file's owner closes it. */
export class DirectReader implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #direct: DirectHandle;

  constructor(file: FileHandle) {
    this.#file = file;
    this.#direct = new DirectHandle(file, constants.O_RDONLY);
  }

  /** Fills `into` from `position`; returns how much of it, which is less only where the file ends. Several may be under way. */
  async read(into: Uint8Array, position: number): Promise<number> {
    let at = 0;
    if (isWorthwhile(into, position)) {
      const direct = await this.#direct.open();
      const whole = into.length - (into.length % blockBytes);
      while (direct !== undefined && at < whole) {
        const bytesRead = await unlessRefused(direct.read(into, at, whole - at, position + at));
        at += bytesRead ?? 0;
        // The file ends where a read stops in the middle of a block.
        if (bytesRead === undefined || bytesRead === 0 || at % blockBytes !== 0) break;
      }
    }
    while (at < into.length) {
      const { bytesRead } = await this.#file.read(into, at, into.length - at, position + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return at;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#direct[Symbol.asyncDispose]();
  }
}

/** An open file opened once more for direct access, when that is first needed. */
class DirectHandle implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #access: number;
  /** Undefined: not yet. */
  #opened: Promise<FileHandle | undefined> | undefined;

  constructor(file: FileHandle, access: number) {
    this.#file = file;
    this.#access = access;
  }

  open(): Promise<FileHandle | undefined> {
    this.#opened ??= openDirect(`/proc/self/fd/${this.#file.fd}`, this.#access);
    return this.#opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const direct = await this.#opened;
    this.#opened = undefined;
    await direct?.close();
  }
}

function isWorthwhile(data: Uint8Array, position: number): boolean {
  return data.length >= worthwhileBytes && position % blockBytes === 0 && isAligned(data);
}

/**
 * Reads a range past the page cache into `into`, and returns the part of it that holds the range, shorter where the file
 * ends. Undefined when that is not possible or not worth while: read it in the ordinary way. `into` must have
 * {@link directRoom}; all of it may be written over.
 */
export async function readDirect(
  path: string,
  range: { offset: number; length: number; into: Buffer },
): Promise<Buffer | undefined> {
  const { offset, length, into } = range;
  const start = offset - (offset % blockBytes);
  const wanted = Math.ceil((offset + length - start) / blockBytes) * blockBytes;
  if (length < worthwhileBytes || into.length < wanted || !isAligned(into)) return undefined;
  const file = await openDirect(path, constants.O_RDONLY);
  if (file === undefined) return undefined;
  try {
    let filled = 0;
    // The file ends where a read stops in the middle of a block.
    while (filled < wanted && filled % blockBytes === 0) {
      const bytesRead = await unlessRefused(file.read(into, filled, wanted - filled, start + filled));
      if (bytesRead === undefined) return undefined;
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    const first = offset - start;
    return into.subarray(Math.min(first, filled), Math.min(first + length, filled));
  } finally {
    await file.close();
  }
}

/** Undefined where it cannot be opened so, for whatever reason: the ordinary way works, or has the better message. */
async function openDirect(path: string, access: number): Promise<FileHandle | undefined> {
  return await open(path, access | constants.O_DIRECT).catch(() => undefined);
}

/** Undefined where the file system asks for larger blocks than ours, or refuses after all. */
async function unlessRefused(
  call: Promise<{ bytesWritten: number } | { bytesRead: number }>,
): Promise<number | undefined> {
  try {
    const done = await call;
    return 'bytesRead' in done ? done.bytesRead : done.bytesWritten;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && (error.code === 'EINVAL' || error.code === 'EOPNOTSUPP')
  );
}
