import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openImage } from './index.ts';
import { type Scratch, scratch } from './scratch.ts';

const MiB = 1024 * 1024;
let lab: Scratch;

beforeEach(async () => {
  lab = await scratch();
});
afterEach(() => lab[Symbol.asyncDispose]());

/** Living processes whose command line names `text`. Those that only wait for their parent have none. */
async function processesNaming(text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
  );
  return pids.filter((_, index) => lines[index]?.includes(text)).map(Number);
}

/** Processes that are not our children send no event when they end. */
async function untilNoneNames(text: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if ((await processesNaming(text)).length === 0) return;
    await delay(10);
  }
  const left = await processesNaming(text);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  expect(left).toEqual([]);
}

const socketDirectories = async () =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('holdfast-disk-'));

test('the server ends with the image, and leaves nothing', async () => {
  const layer = await lab.raw('disk.raw', MiB);
  const before = await socketDirectories();
  {
    await using image = await openImage({ layers: [layer] });
    expect(image.sizeBytes).toBe(MiB);
    expect(image.client.readOnly).toBe(true);
    expect(await processesNaming(layer.path)).toEqual([image.pid]);
    expect(await socketDirectories()).toEqual(before);
  }
  expect(await processesNaming(layer.path)).toEqual([]);
});

test('a server that is killed fails the calls over it', async () => {
  const layer = await lab.raw('disk.raw', MiB);
  await using image = await openImage({ layers: [layer] });
  process.kill(image.pid ?? 0, 'SIGSTOP');
  const call = image.client
    .read(0, 4096)
    .catch((error: unknown) => Promise.reject(image.failure('read', error)));
  const failed = expect(call).rejects.toMatchObject({
    code: 'DiskImageUnavailable',
    message: expect.stringContaining(layer.path),
  });
  process.kill(image.pid ?? 0, 'SIGKILL');
  await failed;
});

test('a process killed at any moment takes its servers along', async () => {
  const layer = await lab.raw('disk.raw', MiB);
  const door = new URL('./index.ts', import.meta.url).href;
  const script = `
    import { openImage } from ${JSON.stringify(door)};
    const opening = openImage({ layers: [${JSON.stringify(layer)}], writable: true });
    process.stdout.write('opening');
    const image = await opening;
    await image.client.write(0, Buffer.alloc(4096, 1));
    process.stdout.write(' open');
    await new Promise(() => setInterval(() => {}, 1000));
  `;
  for (const killAfterMs of [0, 2, 5, 10, 20, 40, undefined]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: lab.directory },
    });
    const exited = once(child, 'exit');
    let said = '';
    for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      said += text;
      if (killAfterMs !== undefined || said.includes('open', 7)) break;
    }
    if (killAfterMs === undefined)
      expect((await processesNaming(layer.path)).length).toBe(2); // itself and its server
    else await delay(killAfterMs);
    child.kill('SIGKILL');
    await exited;
    await untilNoneNames(layer.path);
  }
});

test('what is missing or damaged is told by its code', async () => {
  const layer = await lab.raw('disk.raw', MiB);
  const missing = lab.path('no.raw');
  await expect(openImage({ layers: [{ path: missing, format: 'raw' }] })).rejects.toMatchObject({
    code: 'DiskImageNotFound',
  });
  await expect(openImage({ layers: [{ ...layer, format: 'qcow2' }] })).rejects.toMatchObject({
    code: 'DiskImageDamaged',
  });
});

test('a missing program is named', async () => {
  const layer = await lab.raw('disk.raw', MiB);
  const path = process.env.PATH;
  process.env.PATH = lab.directory;
  try {
    await expect(openImage({ layers: [layer] })).rejects.toMatchObject({
      code: 'HostToolMissing',
      target: 'setpriv',
    });
  } finally {
    process.env.PATH = path;
  }
});

test('an abort while it opens leaves no server', async () => {
  const layer = await lab.raw('disk.raw', MiB);
  for (const afterMs of [0, 3, 8]) {
    const stop = new AbortController();
    const opening = openImage({ layers: [layer] }, stop.signal).then(async (image) => {
      await image[Symbol.asyncDispose]();
      throw new Error('too quick to abort');
    });
    const failed = expect(opening).rejects.toThrow(/enough|too quick/);
    await delay(afterMs);
    stop.abort(new Error('enough'));
    await failed;
    expect(await processesNaming(layer.path)).toEqual([]);
  }
});
