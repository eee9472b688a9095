import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { messageOf } from '../../src/errors/index.ts';
import { run, writeFileDurable } from '../../src/platform/index.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { resolveModules } from './kernel-modules.ts';
import { findKernelPackages, readDistribution, unpackPackages } from './packages.ts';

/** What a guest boots from. */
export interface GuestImage {
  kernel: string;
  initramfs: string;
}

/** Where images are kept between runs; ignored by git. */
const cacheDirectory = resolve(import.meta.dirname, '../../.cache/guest');

/** Everything a guest needs to see its disks and its agent's channel. */
const wantedModules = ['ext4', 'virtio_pci', 'virtio_blk', 'virtio_console'];

/** Programs that busybox stands for in the guest; the agent and the tests call them by path. */
const applets =
  'sh mount umount insmod cat echo ls mkdir sleep usleep sync dd printf tr sed basename dirname grep head tail ' +
  'chmod chown cp mv rm kill ps df du stat sha256sum od wc touch fsfreeze fstrim poweroff reboot dmesg truncate true false awk timeout';

const scripts = {
  init: 'guest-init.sh',
  'sbin/shutdown': 'guest-shutdown.sh',
  'etc/qemu/fsfreeze-hook': 'guest-freeze-hook.sh',
};

/** Copies a program and the shared libraries that `ldd` finds for it. */
async function programEntries(program: string, path: string): Promise<CpioEntry[]> {
  const { stdout } = await run(['ldd', program], { timeoutMs: 20_000 });
  const missing = [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (missing.length > 0)
    throw new Error(`${path} needs libraries this machine lacks: ${missing.join(', ')}.`);
  const libraries = [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].flatMap((match) => match[1] ?? []);
  const entries: CpioEntry[] = [{ path, kind: 'file', mode: 0o755, data: await readFile(program) }];
  for (const library of libraries) {
    entries.push({ path: library.slice(1), kind: 'file', mode: 0o755, data: await readFile(library) });
  }
  return entries;
}

async function buildInitramfs(tree: string): Promise<Uint8Array> {
  const agent = globSync('{usr/,}sbin/qemu-ga', { cwd: tree })[0];
  const busybox = globSync('{usr/,}bin/busybox', { cwd: tree })[0];
  if (agent === undefined || busybox === undefined) throw new Error('The packages lack qemu-ga or busybox.');
  const files: CpioEntry[] = [
    { path: 'bin/busybox', kind: 'file', mode: 0o755, data: await readFile(join(tree, busybox)) },
    ...(await programEntries(join(tree, agent), 'usr/sbin/qemu-ga')),
  ];
  for (const applet of applets.split(' ')) {
    files.push({ path: `bin/${applet}`, kind: 'link', mode: 0o777, data: Buffer.from('busybox') });
  }
  for (const [path, source] of Object.entries(scripts)) {
    const data = await readFile(join(import.meta.dirname, source));
    files.push({ path, kind: 'file', mode: 0o755, data });
  }
  const modules = await resolveModules(tree, join(tree, busybox), wantedModules);
  for (const { name, data } of modules) {
    files.push({ path: `modules/${name}.ko`, kind: 'file', mode: 0o644, data });
  }
  const order = Buffer.from(modules.map(({ name }) => `${name}\n`).join(''));
  files.push({ path: 'modules/order', kind: 'file', mode: 0o644, data: order });

  const directories = new Set([
    'dev',
    'proc',
    'sys',
    'mnt',
    'tmp',
    'var/run',
    'var/log',
    'etc/qemu/fsfreeze-hook.d',
  ]);
  for (const { path } of files) directories.add(join(path, '..'));
  for (const path of [...directories]) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) directories.add(parts.slice(0, depth).join('/'));
  }
  directories.delete('.');
  const folders = [...directories]
    .sort()
    .map((path): CpioEntry => ({ path, kind: 'directory', mode: 0o755 }));
  return gzipSync(writeCpio([...folders, ...files]), { level: 6 });
}

/** Changes when anything that shapes the image does, so that an old cache is never mistaken for a new one. */
async function inputKey(distribution: { id: string; version: string }): Promise<string> {
  const hash = createHash('sha256').update(
    JSON.stringify([distribution, process.arch, wantedModules, applets]),
  );
  for (const source of [...Object.values(scripts), 'guest-image.ts', 'cpio.ts', 'kernel-modules.ts']) {
    hash.update(await readFile(join(import.meta.dirname, source)));
  }
  return `${distribution.id}-${distribution.version}-${hash.digest('hex').slice(0, 12)}`;
}

const digest = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** The cached image if it is whole; undefined when there is none or a byte of it changed. */
async function openCached(directory: string): Promise<GuestImage | undefined> {
  const image = { kernel: join(directory, 'vmlinuz'), initramfs: join(directory, 'initramfs.gz') };
  try {
    const sums: unknown = JSON.parse(await readFile(join(directory, 'sums.json'), 'utf8'));
    const actual = { vmlinuz: await digest(image.kernel), 'initramfs.gz': await digest(image.initramfs) };
    return JSON.stringify(sums) === JSON.stringify(actual) ? image : undefined;
  } catch {
    return undefined;
  }
}

/** Unpacks the guest's programs; an index of packages that is missing or stale is refreshed once, by root. */
async function fetchPackages(distribution: string, work: string): Promise<string> {
  const fetch = async () => {
    const names = await findKernelPackages(distribution);
    return await unpackPackages([...names, 'qemu-guest-agent', 'busybox-static'], work);
  };
  try {
    return await fetch();
  } catch (error) {
    if (process.getuid?.() !== 0) throw error;
    await run(['apt-get', '-q', 'update'], { timeoutMs: 300_000 });
    return await fetch();
  }
}

/**
 * Makes the guest's kernel and initramfs from the distribution's packages, once: later calls use the copy in the
 * checkout's cache. It is built aside and moved into place whole, so interrupted and parallel runs do no harm.
 */
export async function prepareGuestImage(): Promise<GuestImage> {
  const distribution = await readDistribution();
  const directory = join(cacheDirectory, await inputKey(distribution));
  const cached = await openCached(directory);
  if (cached !== undefined) return cached;

  await mkdir(cacheDirectory, { recursive: true });
  const work = await mkdtemp(join(cacheDirectory, 'work-'));
  try {
    const tree = await fetchPackages(distribution.id, work);
    const kernel = globSync('boot/vmlinuz-*', { cwd: tree })[0];
    if (kernel === undefined) throw new Error('The kernel packages hold no kernel.');
    const made = join(work, 'image');
    await mkdir(made);
    await writeFile(join(made, 'vmlinuz'), await readFile(join(tree, kernel)));
    await writeFile(join(made, 'initramfs.gz'), await buildInitramfs(tree));
    const sums = {
      vmlinuz: await digest(join(made, 'vmlinuz')),
      'initramfs.gz': await digest(join(made, 'initramfs.gz')),
    };
    await writeFileDurable(join(made, 'sums.json'), JSON.stringify(sums), { mode: 0o644 });
    await replaceDirectory(made, directory);
  } catch (error) {
    throw new Error(`The lab's guest image could not be made: ${messageOf(error)}`, { cause: error });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const image = await openCached(directory);
  if (image === undefined) throw new Error(`The guest image in ${directory} is not what was written.`);
  return image;
}

/** Moves `made` to `directory`; whoever comes second in a race leaves the first one's equal work in place. */
async function replaceDirectory(made: string, directory: string): Promise<void> {
  if ((await openCached(directory)) !== undefined) return;
  await rm(directory, { recursive: true, force: true });
  try {
    await rename(made, directory);
  } catch (error) {
    if ((await openCached(directory)) === undefined) throw error;
  }
}
