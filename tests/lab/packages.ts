import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/platform/index.ts';

const downloadTimeoutMs = 300_000;
const unpackTimeoutMs = 120_000;
const askTimeoutMs = 60_000;

/** The kernel package that each distribution keeps for virtual machines. */
const kernelPackages: Record<string, string> = {
  debian: 'linux-image-cloud-amd64',
  ubuntu: 'linux-image-virtual',
};

/** `ID` and `VERSION_ID` of os-release(5). */
export async function readDistribution(): Promise<{ id: string; version: string }> {
  const text = await readFile('/etc/os-release', 'utf8');
  const value = (key: string) => text.match(new RegExp(`^${key}="?([^"\n]*)`, 'm'))?.[1] ?? '';
  return { id: value('ID'), version: value('VERSION_ID') };
}

/**
 * The packages that hold a kernel and its modules: the distribution's meta package names one version, which may keep
 * its modules in a package of its own (Ubuntu does).
 */
export async function findKernelPackages(distribution: string): Promise<string[]> {
  const meta = kernelPackages[distribution];
  if (meta === undefined || process.arch !== 'x64')
    throw new Error(`The lab knows no guest kernel for ${distribution} on ${process.arch}.`);
  const found = new Set<string>();
  const queue = [meta];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const { stdout } = await run(['apt-cache', 'depends', name], { timeoutMs: askTimeoutMs });
    for (const match of stdout.matchAll(/^\s+Depends: (linux-(?:image|modules)-\d\S*)$/gm)) {
      if (match[1] === undefined || found.has(match[1])) continue;
      found.add(match[1]);
      queue.push(match[1]);
    }
  }
  if (found.size === 0) throw new Error(`apt knows no kernel behind ${meta}; run apt-get update.`);
  return [...found];
}

/**
 * Downloads packages with apt, which checks them against the signed index of the archive, and unpacks them into
 * `directory/root` without installing anything.
 * @returns the unpacked tree
 */
export async function unpackPackages(names: readonly string[], directory: string): Promise<string> {
  const archives = join(directory, 'archives');
  const root = join(directory, 'root');
  await mkdir(archives, { recursive: true });
  await mkdir(root, { recursive: true });
  const apt = 'cd "$1" && shift && exec apt-get -q -o APT::Sandbox::User=root download "$@"';
  await run(['sh', '-c', apt, 'sh', archives, ...names], { timeoutMs: downloadTimeoutMs });
  const files = (await readdir(archives)).filter((file) => file.endsWith('.deb'));
  if (files.length < names.length) throw new Error(`apt did not download all of ${names.join(', ')}.`);
  for (const file of files) {
    await run(['dpkg', '-x', join(archives, file), root], { timeoutMs: unpackTimeoutMs });
  }
  return root;
}
