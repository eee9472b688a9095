import { fork } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createStore, fileSystemBackend, openStore, type Store } from './index.ts';
import { type Life, lifeContent, lifeOptions } from './testing/life-content.ts';
import { restore, testChunkBytes } from './testing/model-disk.ts';
import { randomFrom } from './testing/scheduler.ts';

/** `KILL_SECONDS=600` for a long one. */
const seconds = Number(process.env.KILL_SECONDS ?? 15);
const fewestKills = 5;

interface News {
  opened?: number;
  committed?: string;
  deleting?: string;
  deleted?: string;
  removedPacks?: number;
  repackedPacks?: number;
}

/** What the parent knows: points that must be there, and points of which it is not known. */
class Known {
  readonly must = new Set<string>();
  readonly gone = new Set<string>();
  removed = 0;
  repacked = 0;

  hear({ committed, deleting, deleted, removedPacks = 0, repackedPacks = 0 }: News): void {
    if (committed !== undefined) this.must.add(committed);
    if (deleting !== undefined) this.must.delete(deleting);
    if (deleted !== undefined) this.gone.add(deleted);
    this.removed += removedPacks;
    this.repacked += repackedPacks;
  }

  /** Every acknowledged point and every other that is there, byte for byte; none that was acknowledged as deleted. */
  async expectIn(store: Store): Promise<void> {
    const { points, damaged } = await store.listPoints();
    expect(damaged).toEqual([]);
    const there = points.map(({ pointId }) => pointId);
    expect(there).toEqual(expect.arrayContaining([...this.must]));
    for (const { pointId, metadata } of points) {
      expect(this.gone.has(pointId), `${pointId} was deleted`).toBe(false);
      const content = lifeContent(metadata.life as Life);
      expect((await restore(store, pointId)).equals(content), pointId).toBe(true);
      this.must.add(pointId); // it has been seen, and nothing but a deletion may take it away again
    }
  }
}

/** Lets a process live with the store for a while, and kills it at some instant. */
async function liveAndDie(directory: string, seed: number, known: Known): Promise<void> {
  const child = fork(join(import.meta.dirname, 'testing/endless-life.ts'), [directory, String(seed)], {
    stdio: 'inherit',
  });
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<NodeJS.Signals | null>();
  child.on('message', (news: News) => {
    known.hear(news);
    if (news.opened !== undefined) opened.resolve();
  });
  child.on('exit', (code, signal) => {
    ended.resolve(signal);
    opened.reject(new Error(`the process ended by itself, with ${code ?? signal}`));
  });
  try {
    await opened.promise;
    await setTimeout(randomFrom(seed)(600));
  } finally {
    child.kill('SIGKILL');
  }
  expect(await ended.promise).toBe('SIGKILL');
}

test(
  'a process that lives with a store and is killed again and again costs no acknowledged point a byte',
  async () => {
    const parent = await mkdtemp(join(tmpdir(), 'holdfast-kill-'));
    const directory = join(parent, 'store');
    try {
      const known = new Known();
      const backend = () => fileSystemBackend(directory);
      const store = await createStore(backend(), { ...lifeOptions, chunkSizeBytes: testChunkBytes });
      await store[Symbol.asyncDispose]();
      const end = performance.now() + seconds * 1000;
      let kills = 0;
      for (; kills < fewestKills || performance.now() < end; kills++) {
        await liveAndDie(directory, kills + 1, known);
        const after = await openStore(backend(), lifeOptions);
        await known.expectIn(after);
        await after[Symbol.asyncDispose]();
        expect(await readdir(join(directory, 'tmp')).catch(() => [])).toEqual([]);
      }
      await using last = await openStore(backend(), lifeOptions);
      for (let round = 0; round < 4; round++)
        await last.collect({ minimumAgeMs: 0, wasteThreshold: 0, force: true });
      await known.expectIn(last);
      // Nothing that a killed process has left is left for good.
      const { plan, neededChunks } = await last.collect({ dryRun: true, wasteThreshold: 0, force: true });
      expect(plan.packs.map(({ action }) => action).filter((action) => action !== 'keep')).toEqual([]);
      expect((await last.stats()).chunks).toBe(neededChunks);
      expect(known.removed).toBeGreaterThan(0);
      if (process.env.KILL_SECONDS !== undefined)
        process.stdout.write(
          `${kills} kills; ${known.gone.size} points deleted, ${known.removed} packs removed, ${known.repacked} repacked between them\n`,
        );
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  },
  (seconds + 60) * 1000,
);
