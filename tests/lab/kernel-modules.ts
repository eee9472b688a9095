import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { run } from '../../src/platform/index.ts';

/** A module ready for `insmod`: decompressed, by its canonical name. */
export interface KernelModule {
  name: string;
  data: Uint8Array;
}

/** Modules are called alike with `-` and `_`; files carry a suffix for their compression. */
function canonicalName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

async function readModule(path: string, busybox: string): Promise<Buffer> {
  const bytes = await readFile(path);
  if (path.endsWith('.ko')) return bytes;
  if (path.endsWith('.gz')) return gunzipSync(bytes);
  if (path.endsWith('.zst')) return zstdDecompressSync(bytes);
  if (path.endsWith('.xz')) {
    const expand = '"$1" xz -dc <"$2" | base64';
    const { stdout } = await run(['sh', '-c', expand, 'sh', busybox, path], { timeoutMs: 30_000 });
    return Buffer.from(stdout, 'base64');
  }
  throw new Error(`Unknown compression of the kernel module ${path}.`);
}

/** What the `.modinfo` section says the module needs; packages carry no `modules.dep`, so this is the one source. */
function dependenciesOf(module: Buffer): string[] {
  const start = module.indexOf('\0depends=');
  if (start < 0) return [];
  const from = start + '\0depends='.length;
  const list = module.toString('latin1', from, module.indexOf(0, from));
  return list === '' ? [] : list.split(',').map(canonicalName);
}

/**
 * The wanted modules and everything they need, in an order in which they can be inserted. Those built into the
 * kernel are left out.
 * @param tree unpacked kernel packages
 * @param busybox the program that expands what Node cannot
 */
export async function resolveModules(
  tree: string,
  busybox: string,
  wanted: readonly string[],
): Promise<KernelModule[]> {
  const files = new Map(
    globSync('{usr/,}lib/modules/*/kernel/**/*.ko*', { cwd: tree }).map((file) => [
      canonicalName(file),
      join(tree, file),
    ]),
  );
  const builtin = new Set<string>();
  for (const list of globSync('{usr/,}lib/modules/*/modules.builtin', { cwd: tree })) {
    const text = await readFile(join(tree, list), 'utf8');
    for (const line of text.trim().split('\n')) builtin.add(canonicalName(line));
  }
  const resolved = new Map<string, KernelModule>();
  const visit = async (name: string, path: readonly string[]): Promise<void> => {
    if (builtin.has(name) || resolved.has(name)) return;
    const file = files.get(name);
    if (file === undefined || path.includes(name))
      throw new Error(`The guest kernel has no module ${[...path, name].join(' -> ')}.`);
    const data = await readModule(file, busybox);
    for (const dependency of dependenciesOf(data)) await visit(dependency, [...path, name]);
    resolved.set(name, { name, data });
  };
  for (const name of wanted) await visit(name, []);
  return [...resolved.values()];
}
