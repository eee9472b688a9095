import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { isOverlayName } from './chain-plan.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { locateClone } from './image-users.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { Ledger } from './ledger.ts';
import { isGone, settleMachine, settleThaw } from './settle.ts';
import type { ReconcileReport } from './types.ts';

/**
 * Brings every ledger of the host and reality together: guests are thawed first, then interrupted points finished or
 * taken back. Merges that were cut short go on with the next expiry. One machine's trouble keeps no other waiting.
 */
export async function reconcile(
  host: HostContext,
  locks: KeyedMutex,
  signal?: AbortSignal,
): Promise<ReconcileReport> {
  const actions: string[] = [];
  const notThawed: string[] = [];
  const known = new Set<string>();
  const machines = await host.ledgers.machines();
  await Promise.all(
    machines.map(async (uuid) => {
      try {
        const ledger = await host.ledgers.read(uuid);
        if (ledger?.thawOwed !== true) return;
        // Not behind the lock: whoever holds it may be waiting for this very guest.
        if (await settleThaw(host, uuid))
          actions.push(`Made sure that the guest of '${ledger.machineName}' is not frozen.`);
        else notThawed.push(ledger.machineName);
      } catch (error) {
        if (!isHoldfastError(error, 'UserErrorVmNotFoundV2')) notThawed.push(uuid);
      }
    }),
  );
  for (const uuid of machines) {
    signal?.throwIfAborted();
    try {
      actions.push(...(await locks.run(uuid, signal, () => reconcileMachine(host, uuid))));
    } catch (error) {
      signal?.throwIfAborted();
      if (isHoldfastError(error, 'HostUnreachable')) throw error;
      actions.push(`Could not bring VM ${uuid} in order: ${messageOf(error)}`);
      host.log.error({ vm: uuid, err: error }, 'could not reconcile a machine');
    }
    for (const path of filesOf(await host.ledgers.read(uuid).catch(() => undefined))) known.add(path);
  }
  return { actions, unknownFiles: await findUnknownFiles(host, known), notThawed };
}

async function reconcileMachine(host: HostContext, uuid: string): Promise<string[]> {
  const ledger = await host.ledgers.read(uuid);
  if (ledger === undefined) return [];
  if (await isGone(host, uuid)) {
    const files = ledger.points.flatMap((point) => point.disks.map((disk) => disk.overlay));
    return [
      `VM '${ledger.machineName}' (${uuid}) is gone; ${files.length} of its layers are left as they are.`,
    ];
  }
  const actions = await settleMachine(host, uuid);
  await pruneClones(host, uuid, ledger);
  for (const point of ledger.points) {
    if (point.disks.some((disk) => disk.merging))
      actions.push(
        `The merge of recovery point ${point.pointId} of '${ledger.machineName}' goes on with the next expiry.`,
      );
  }
  return actions;
}

async function pruneClones(host: HostContext, uuid: string, ledger: Ledger): Promise<void> {
  const gone = new Set<string>();
  for (const clone of ledger.clones) if ((await locateClone(clone)) === undefined) gone.add(clone.path);
  if (gone.size === 0) return;
  await host.ledgers.update(uuid, (now) => ({
    ...now,
    clones: now.clones.filter((clone) => !gone.has(clone.path)),
  }));
}

function filesOf(ledger: Ledger | undefined): string[] {
  if (ledger === undefined) return [];
  return [
    ...ledger.points.flatMap((point) => point.disks.map((disk) => disk.overlay)),
    ...(ledger.intent?.disks.map((disk) => disk.overlay) ?? []),
    ...ledger.leftovers,
  ];
}

/** Files that look like overlays of ours, in the directories of all machines' disks, that no ledger knows. */
async function findUnknownFiles(host: HostContext, known: ReadonlySet<string>): Promise<string[]> {
  const directories = new Set(host.overlayDirectory === undefined ? [] : [host.overlayDirectory]);
  for (const uuid of await host.virsh.uuids()) {
    try {
      for (const disk of describeDomain(await host.virsh.xml(uuid)).disks)
        if (disk.type === 'file') for (const { path } of disk.chain) if (path) directories.add(dirname(path));
    } catch (error) {
      if (!isHoldfastError(error, 'UserErrorVmNotFoundV2', 'DomainXmlInvalid')) throw error;
    }
  }
  const unknown: string[] = [];
  for (const directory of directories) {
    let names: string[];
    try {
      names = await readdir(directory);
    } catch (error) {
      host.log.warn({ directory, err: error }, "can't look for unknown layers");
      continue;
    }
    for (const name of names.map((each) => basename(each)).filter(isOverlayName)) {
      const path = join(directory, name);
      if (!known.has(path)) unknown.push(path);
    }
  }
  return unknown.sort();
}
