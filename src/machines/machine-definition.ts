import { randomBytes } from 'node:crypto';
import { readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../errors/index.ts';
import { makeDirectoryDurable, run } from '../platform/index.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import type { TakeIntent } from './ledger.ts';
import type { MachineView } from './machine-view.ts';
import type { MachineDefinition } from './types.ts';

const tarTimeoutMs = 30_000;

/** What is needed beside the disks to make the machine again: definition, UEFI variables, TPM state. */
export async function collectDefinition(
  host: HostContext,
  view: MachineView,
  intent: Pick<TakeIntent, 'disks'>,
): Promise<MachineDefinition> {
  const domainXml = await definitionXml(host, view, intent);
  const nvramBase64 = await readNvram(view.domain.nvramPath);
  const tpmStateTarBase64 = view.domain.emulatedTpm ? await packTpmState(host, view) : undefined;
  return {
    domainXml,
    ...(nvramBase64 === undefined ? {} : { nvramBase64 }),
    ...(tpmStateTarBase64 === undefined ? {} : { tpmStateTarBase64 }),
  };
}

/** The persistent definition, unless a disk was plugged in for the running machine only. */
async function definitionXml(
  host: HostContext,
  view: MachineView,
  intent: Pick<TakeIntent, 'disks'>,
): Promise<string> {
  const persistent = new Set(describeDomain(view.inactiveXml).disks.map((disk) => disk.target));
  if (intent.disks.every((disk) => persistent.has(disk.target))) return view.inactiveXml;
  return host.virsh.call(['dumpxml', view.status.uuid, '--security-info', '--migratable']);
}

async function readNvram(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, 'base64');
  } catch (error) {
    // libvirt makes it from its template at the first start
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HoldfastError('DiskImageUnavailable', `The UEFI variable store ${path} can't be read.`, {
      cause: error,
      target: path,
    });
  }
}

/** Where this libvirt keeps the TPM state of a machine. */
export function tpmDirectoryOf(host: HostContext, uuid: string): string {
  if (host.tpmDirectory !== undefined) return join(host.tpmDirectory, uuid);
  throw new HoldfastError('UserErrorTpmStateNotFound', 'The host does not say where TPM state is kept.', {
    target: uuid,
  });
}

async function packTpmState(host: HostContext, view: MachineView): Promise<string | undefined> {
  const { uuid } = view.status;
  const directory = tpmDirectoryOf(host, uuid);
  try {
    await stat(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // never started yet
    throw error;
  }
  const archive = await scratchPath(host, uuid, 'tpm.tar');
  try {
    await run(['tar', '--create', '--file', archive, '--directory', directory, '.'], {
      timeoutMs: tarTimeoutMs,
    });
    return await readFile(archive, 'base64');
  } finally {
    await unlink(archive).catch(() => {}); // there is none when tar could not start
  }
}

/** A name in the machine's private directory that nobody else uses; leftovers end in `.tmp`. */
export async function scratchPath(host: HostContext, uuid: string, name: string): Promise<string> {
  const directory = host.ledgers.directoryOf(uuid);
  await makeDirectoryDurable(directory);
  return join(directory, `${name}-${randomBytes(6).toString('hex')}.tmp`);
}
