import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import {
  DirectWriter,
  makeDirectoryDurable,
  readDirect,
  syncDirectory,
  tryLockFile,
} from '../../platform/index.ts';

/** The calls the file-system backend makes. A seam so that a test can forget what was not synced and fail at will. */
export interface Files {
  /** Creates a directory and its parents; each new entry is durable when it resolves. */
  makeDirectory(path: string): Promise<void>;
  /** Creates a new file; what is written is durable only after `sync`, its name only after `syncDirectory`. */
  create(path: string): Promise<NewFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Bytes from `offset`, fewer at the end of the file; the whole file without a range. `into`: as in `Backend.get`. */
  read(path: string, range?: { offset: number; length: number; into?: Buffer }): Promise<Buffer>;
  stat(path: string): Promise<{ sizeBytes: number; directory: boolean }>;
  readDirectory(path: string): Promise<{ name: string; directory: boolean }[]>;
  /** `isThere`: whether `path` is still what is locked. */
  lock(path: string): (Disposable & { isThere(): boolean }) | undefined;
}

export interface NewFile {
  write(data: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const nodeFiles: Files = {
  makeDirectory: (path) => makeDirectoryDurable(path),
  async create(path) {
    const handle = await open(path, 'wx', 0o600);
    const writer = new DirectWriter(handle);
    let end = 0;
    return {
      async write(data) {
        await writer.write(data, end);
        end += data.length;
      },
      sync: () => handle.sync(),
      async close() {
        await writer[Symbol.asyncDispose]();
        await handle.close();
      },
    };
  },
  rename,
  unlink,
  syncDirectory,
  async read(path, range) {
    const direct = range?.into && (await readDirect(path, { ...range, into: range.into }));
    if (direct !== undefined) return direct;
    await using handle = await open(path, 'r');
    const wanted = range?.length ?? (await handle.stat()).size;
    const offset = range?.offset ?? 0;
    const data = range?.into ?? Buffer.allocUnsafeSlow(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await handle.read(data, filled, wanted - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return data.subarray(0, filled);
  },
  async stat(path) {
    const found = await stat(path);
    return { sizeBytes: found.size, directory: found.isDirectory() };
  },
  async readDirectory(path) {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, directory: entry.isDirectory() }));
  },
  lock: (path) => tryLockFile(path),
};
