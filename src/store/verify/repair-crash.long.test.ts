import { expect, test } from 'vitest';
import { fileSystemBackend, openStore } from '../index.ts';
import {
  damageOptions,
  entriesOf,
  flip,
  newContent,
  oldContent,
  twoPoints,
} from '../testing/damaged-store.ts';
import { ForgetfulFiles } from '../testing/forgetful-files.ts';
import { backUp, restore, testChunkBytes } from '../testing/model-disk.ts';

test('a crash at any write of a verification and a repair leaves a store that can be repaired, and never less of any point (borg #5325)', async () => {
  const made = await twoPoints();
  const [oldPack = '', newPack = ''] = made.packs;
  // Old: its header. New: cut behind the fourteenth frame. A marker gone, a segment damaged.
  flip(made.backend.objects.get(oldPack) ?? Buffer.alloc(0), 3);
  const { bytes, entries } = entriesOf(made.backend, newPack);
  made.backend.objects.set(newPack, bytes.subarray(0, entries[14]?.offset));
  made.backend.objects.delete('packs/marker');
  const directory = '/srv/store';
  const files = new ForgetfulFiles();
  {
    const backend = fileSystemBackend(directory, files);
    await using _lock = await backend.lock({ create: true });
    for (const [name, content] of made.backend.objects) await backend.put(name, [content]);
  }
  const crashes: { call: string; files: ForgetfulFiles }[] = [];
  const store = await openStore(fileSystemBackend(directory, files), damageOptions);
  files.onCall = (call) => {
    // What is lost, and what is kept, changes with these.
    if (!/^(sync|rename|unlink) /.test(call) || call.endsWith('(done)')) return;
    for (const what of ['lost', 'kept'] as const) crashes.push({ call, files: files.clone(what) });
  };
  await store.verify();
  expect((await store.repair({ dryRun: false })).salvagedChunks).toBe(14);
  await store[Symbol.asyncDispose]();
  files.onCall = () => {};
  expect(crashes.length).toBeGreaterThan(25);
  for (const crash of crashes) {
    await using again = await openStore(fileSystemBackend(directory, crash.files), damageOptions);
    expect((await restore(again, 'old')).equals(oldContent), crash.call).toBe(true);
    await again.verify();
    const report = await again.repair({ dryRun: false });
    expect(report.failed, crash.call).toEqual([]);
    expect(report.damagedPoints, crash.call).toHaveLength(1);
    const { newBytes } = await backUp(again, 'again', newContent);
    // What could be salvaged has been, however often it was begun.
    expect(newBytes, crash.call).toBe(7 * testChunkBytes + 8192);
    const { damagedPoints, damagedObjects } = await again.verify();
    expect({ damagedPoints, damagedObjects }, crash.call).toEqual({
      damagedPoints: [],
      damagedObjects: [],
    });
    expect((await restore(again, 'new')).equals(newContent), crash.call).toBe(true);
    expect((await restore(again, 'old')).equals(oldContent), crash.call).toBe(true);
  }
});
