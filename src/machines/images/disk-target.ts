import { DirectWriter } from '../../platform/index.ts';
import type { CreateDiskRequest, DiskTarget } from '../types.ts';
import { startDiskServer } from './disk-server.ts';
import { runImageTool, toImageFailure } from './failures.ts';
import { imageSpec } from './image-spec.ts';
import { createNewFile, type NewFile } from './new-file.ts';

const createTimeoutMs = 60_000;

/**
 * Creates an image file to be filled, sparse, mode 0600. When this process dies before `finish`, the file stays behind
 * unfinished; the program that serves it does not.
 * @throws DiskImageExists, DiskImageNotFound (its directory), UserErrorHostStorageFull, HostToolMissing
 */
export async function createDiskTarget(
  request: CreateDiskRequest,
  signal?: AbortSignal,
): Promise<DiskTarget> {
  if (!Number.isSafeInteger(request.sizeBytes) || request.sizeBytes < 0) {
    throw new RangeError(`a disk of ${request.sizeBytes} bytes`);
  }
  signal?.throwIfAborted();
  const file = await createNewFile(request.path, request.owner);
  try {
    const sink =
      request.format === 'raw' ? await rawSink(file, request) : await qcow2Sink(file, request, signal);
    return new ImageTarget(file, sink, request);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw toImageFailure('create', request.path, error);
  }
}

/** Where the bytes of a target go. */
interface Sink extends AsyncDisposable {
  write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Hands everything to the file, closing whatever stands between. */
  finish(): Promise<void>;
}

class ImageTarget implements DiskTarget {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: NewFile;
  readonly #sink: Sink;
  readonly #writes = new Set<Promise<void>>();
  #state: 'open' | 'closed' = 'open';

  constructor(file: NewFile, sink: Sink, request: CreateDiskRequest) {
    this.path = request.path;
    this.sizeBytes = request.sizeBytes;
    this.#file = file;
    this.#sink = sink;
  }

  async write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'open') throw new TypeError(`a write after the end of ${this.path}`);
    signal?.throwIfAborted();
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + data.length > this.sizeBytes) {
      throw new RangeError(
        `${data.length} bytes at ${offset} are not inside a disk of ${this.sizeBytes} bytes`,
      );
    }
    const write = this.#sink.write(offset, data, signal);
    this.#writes.add(write);
    try {
      await write;
    } catch (error) {
      throw toImageFailure('write to', this.path, error);
    } finally {
      this.#writes.delete(write);
    }
  }

  async finish(): Promise<void> {
    if (this.#state !== 'open') throw new TypeError(`${this.path} was finished before`);
    if (this.#writes.size > 0)
      throw new TypeError(`${this.#writes.size} writes to ${this.path} are still under way`);
    this.#state = 'closed';
    try {
      await this.#sink.finish();
      await this.#file.keep();
    } catch (error) {
      throw toImageFailure('finish', this.path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
    await this.#sink[Symbol.asyncDispose]();
    await Promise.allSettled(this.#writes); // each has its own caller, who hears of it
    await this.#file[Symbol.asyncDispose]();
  }
}

async function rawSink(file: NewFile, request: CreateDiskRequest): Promise<Sink> {
  await file.handle.truncate(request.sizeBytes);
  const writer = new DirectWriter(file.handle);
  return {
    write: (offset, data) => writer.write(data, offset),
    finish: () => writer[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

async function qcow2Sink(file: NewFile, request: CreateDiskRequest, signal?: AbortSignal): Promise<Sink> {
  const path = file.nameForPrograms;
  await runImageTool(
    ['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=off', path, `${request.sizeBytes}`],
    'create',
    request.path,
    { timeoutMs: createTimeoutMs, ...(signal && { signal }) },
  );
  const spec = await imageSpec([{ path, format: 'qcow2' }], { locking: true });
  const server = await startDiskServer({ spec, path: request.path, writable: true, contexts: [] }, signal);
  return {
    write: (offset, data, writeSignal) => server.client.write(offset, data, writeSignal),
    async finish() {
      await server.client.flush();
      await server.stop();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
