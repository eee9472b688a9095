import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../platform/index.ts';
import { imageSpec } from './image-spec.ts';
import type { ImageLayer } from './image-types.ts';

/** A directory of a test, gone with it; and QEMU's own tools, against which ours are held. */
export interface Scratch extends AsyncDisposable {
  readonly directory: string;
  path(name: string): string;
  qemu(...command: [string, ...string[]]): Promise<string>;
  /** Runs qemu-io commands on the top of a chain; each as one would type it. */
  io(layer: ImageLayer, ...commands: string[]): Promise<void>;
  /** Creates a sparse raw file. */
  raw(name: string, sizeBytes: number): Promise<ImageLayer>;
  /** The whole content of a chain, as `qemu-img convert` has it. */
  content(layers: readonly ImageLayer[]): Promise<Buffer>;
}

export async function scratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-images-'));
  const path = (name: string) => join(directory, name);
  const qemu: Scratch['qemu'] = async (...command) => (await run(command, { timeoutMs: 60_000 })).stdout;
  return {
    directory,
    path,
    qemu,
    async io(layer, ...commands) {
      const list = commands.flatMap((command) => ['-c', command]);
      await qemu('qemu-io', '-d', 'unmap', '-f', layer.format, ...list, layer.path);
    },
    async raw(name, sizeBytes) {
      await using file = await open(path(name), 'wx');
      await file.truncate(sizeBytes);
      return { path: path(name), format: 'raw' };
    },
    async content(layers) {
      const out = path('converted.raw');
      await qemu('qemu-img', 'convert', '-O', 'raw', await imageSpec(layers, { locking: false }), out);
      const bytes = await readFile(out);
      await rm(out);
      return bytes;
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true });
    },
  };
}
