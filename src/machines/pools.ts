import { HoldfastError } from '../errors/index.ts';
import { RunError } from '../platform/index.ts';
import type { HostContext } from './host-context.ts';
import { find, parseXml, textOf } from './xml-tree.ts';

/** What a pool or network may be called here; libvirt allows more, but nothing that begins like an option reaches virsh. */
const plainName = /^[\p{L}\p{N}_][\p{L}\p{N}._ +-]{0,127}$/u;

/** The directory behind a storage pool. @throws ResourceNotFound, InvalidInput for a pool that is no directory */
export async function poolDirectory(host: HostContext, name: string, signal?: AbortSignal): Promise<string> {
  const notFound = (cause?: unknown) =>
    new HoldfastError('ResourceNotFound', `The host has no storage pool '${name}'.`, {
      cause,
      target: name,
      action: 'List its pools with "virsh pool-list --all".',
    });
  if (!plainName.test(name)) throw notFound();
  let xml: string;
  try {
    xml = await host.virsh.call(['pool-dumpxml', name], signal === undefined ? {} : { signal });
  } catch (error) {
    if (error instanceof RunError && /not found|failed to get pool/i.test(error.result.stderr))
      throw notFound(error);
    throw error;
  }
  const pool = parseXml(xml);
  const path = textOf(find(pool, 'target', 'path')) ?? '';
  if (['dir', 'fs', 'netfs'].includes(pool.attributes.type ?? '') && path.startsWith('/')) return path;
  throw new HoldfastError('InvalidInput', `Storage pool '${name}' is no directory of image files.`, {
    target: name,
    action: 'Restore into a pool of the type dir, fs or netfs, or into a directory.',
  });
}

/** Whether libvirt knows a network of this name, running or not. */
export async function hasNetwork(host: HostContext, name: string, signal?: AbortSignal): Promise<boolean> {
  if (!plainName.test(name)) return false;
  const names = await host.virsh.call(
    ['net-list', '--all', '--name'],
    signal === undefined ? {} : { signal },
  );
  return names.split('\n').some((line) => line.trim() === name);
}
