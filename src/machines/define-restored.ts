import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { run, syncDirectory } from '../platform/index.ts';
import { adaptDefinition } from './adapt-definition.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { scratchPath, tpmDirectoryOf } from './machine-definition.ts';
import type { DefineRestoredRequest, RestoredMachine } from './types.ts';
import { reason } from './virsh.ts';

const tarTimeoutMs = 30_000;

/**
 * Defines a machine out of a recovery point, beside the one it came from. When it throws, the machine is not defined
 * and the files made here are gone; the disks are the caller's.
 * @throws UserErrorTargetVmExists, UserErrorCrpReportedUserError
 */
export async function defineRestored(
  host: HostContext,
  request: DefineRestoredRequest,
  signal?: AbortSignal,
): Promise<RestoredMachine> {
  const names = await host.virsh.call(['list', '--all', '--name']);
  if (names.split('\n').some((name) => name.trim() === request.name)) throw nameTaken(request.name);
  const { uuid } = request;
  await using undo = new AsyncDisposableStack();
  const nvramPath = await placeNvram(request, undo);
  await placeTpmState(host, request, uuid, undo);
  const { xml, changes } = adaptDefinition(request.definition.domainXml, {
    name: request.name,
    uuid,
    disks: request.disks,
    live: request.live ?? false,
    connectNetwork: request.connectNetwork,
    network: request.network,
    nvramPath,
    newMac: randomMac,
  });
  signal?.throwIfAborted();
  undo.defer(() => undefineIfThere(host, uuid));
  try {
    await host.virsh.define(xml);
    await host.step('restored machine defined');
    if (request.start) await host.virsh.start(uuid, signal);
  } catch (error) {
    if (isHoldfastError(error) || signal?.aborted) throw error;
    if (/already exists with uuid/.test(reason(error))) throw nameTaken(request.name);
    throw new HoldfastError(
      'UserErrorCrpReportedUserError',
      `libvirt did not take the restored VM '${request.name}': ${reason(error)}.`,
      { cause: error, target: request.name },
    );
  }
  undo.move(); // it stays
  return { uuid, name: request.name, changes };
}

function nameTaken(name: string): HoldfastError {
  return new HoldfastError('UserErrorTargetVmExists', `The host has a VM with the name '${name}' already.`, {
    target: name,
  });
}

/** Locally administered, in the range that QEMU's guests use. */
function randomMac(): string {
  const tail = randomBytes(3).toString('hex').match(/../g) ?? [];
  return ['52', '54', '00', ...tail].join(':');
}

async function placeNvram(
  request: DefineRestoredRequest,
  undo: AsyncDisposableStack,
): Promise<string | undefined> {
  const { nvramBase64 } = request.definition;
  if (nvramBase64 === undefined) return undefined;
  const path = nvramPathOf(request);
  await using file = await open(path, 'wx', 0o600);
  undo.defer(() => unlink(path));
  await file.writeFile(Buffer.from(nvramBase64, 'base64'));
  if (process.geteuid?.() === 0) {
    const { uid, gid } = await stat(request.directory); // an unprivileged QEMU has to write to it
    await file.chown(uid, gid);
  }
  await file.sync();
  await syncDirectory(request.directory);
  return path;
}

const nvramPathOf = ({ uuid, directory }: { uuid: string; directory: string }) =>
  join(directory, `${uuid}_VARS.fd`);

/** See `Host.discardRestored`. The identity was made up for that one machine, so files with its name are its own. */
export async function discardRestored(
  host: HostContext,
  request: { uuid: string; directory: string },
): Promise<void> {
  await rm(nvramPathOf(request), { force: true });
  if (host.tpmDirectory !== undefined)
    await rm(tpmDirectoryOf(host, request.uuid), { recursive: true, force: true });
}

async function placeTpmState(
  host: HostContext,
  request: DefineRestoredRequest,
  uuid: string,
  undo: AsyncDisposableStack,
): Promise<void> {
  const { tpmStateTarBase64 } = request.definition;
  if (tpmStateTarBase64 === undefined || !describeDomain(request.definition.domainXml).emulatedTpm) return;
  const directory = tpmDirectoryOf(host, uuid);
  await mkdir(directory, { mode: 0o711 });
  undo.defer(() => rm(directory, { recursive: true }));
  if (process.geteuid?.() === 0) {
    const { uid, gid } = await stat(join(directory, '..'));
    await chown(directory, uid, gid);
  }
  const archive = await scratchPath(host, uuid, 'tpm.tar');
  undo.defer(() => host.ledgers.forget(uuid));
  try {
    await writeFile(archive, Buffer.from(tpmStateTarBase64, 'base64'), { flag: 'wx', mode: 0o600 });
    // GNU tar itself refuses members that lead out of the directory
    await run(['tar', '--extract', '--file', archive, '--directory', directory], { timeoutMs: tarTimeoutMs });
  } finally {
    await unlink(archive);
  }
}

async function undefineIfThere(host: HostContext, uuid: string): Promise<void> {
  if (!(await host.virsh.uuids()).includes(uuid)) return;
  if ((await host.virsh.status(uuid)).state !== 'shut off') await host.virsh.destroy(uuid);
  await host.virsh.undefine(uuid);
}
