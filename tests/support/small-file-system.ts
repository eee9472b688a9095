import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/platform/index.ts';

const timeoutMs = 20_000;
const mebibyte = 2 ** 20;
const filler = '.filler';

/** A file system in memory with little room, at a directory of its own. */
export interface SmallFileSystem extends AsyncDisposable {
  readonly path: string;
  resize(mebibytes: number): Promise<void>;
  /** Takes room until less than a mebibyte more than this is left; the last byte, by default. */
  fill(leftMebibytes?: number): Promise<void>;
  /** Gives back the room that `fill` took. */
  free(): Promise<void>;
}

/** Mounts a tmpfs at `path`. Needs root; it stays until it is disposed. */
export async function mountSmallFileSystem(
  path: string,
  mebibytes: number,
  owner?: { uid: number; gid: number },
): Promise<SmallFileSystem> {
  await mkdir(path, { recursive: true });
  await run(['mount', '-t', 'tmpfs', '-o', `size=${mebibytes}M,mode=0700`, 'holdfast-test', path], {
    timeoutMs,
  });
  if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  return {
    path,
    resize: async (size) => {
      await run(['mount', '-o', `remount,size=${size}M`, path], { timeoutMs });
    },
    fill: async (left) => {
      await using file = await open(join(path, filler), 'a');
      for (;;) {
        const { bavail, bsize } = await statfs(path);
        const room = bavail * bsize - (left ?? 0) * mebibyte;
        if (room < (left === undefined ? bsize : mebibyte)) return;
        await file.write(randomBytes(Math.min(room, mebibyte)));
      }
    },
    free: () => rm(join(path, filler), { force: true }),
    [Symbol.asyncDispose]: async () => {
      await run(['umount', '--lazy', path], { timeoutMs });
    },
  };
}
