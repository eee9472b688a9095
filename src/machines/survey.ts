import { basename } from 'node:path';
import { messageOf } from '../errors/index.ts';
import { isOverlayName } from './chain-plan.ts';
import { type DomainXml, describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { type ImageInfo, imageInfo } from './images/index.ts';
import { chainOf, isActive, type MachineView } from './machine-view.ts';
import { includedDisks, judge } from './obstacles.ts';
import type { HostFacts, Machine, MachineDisk, ProtectionObstacle } from './types.ts';
import type { DomainStatus } from './virsh.ts';

/** Questions to the host that change nothing. */

export async function hostFacts(host: HostContext, signal?: AbortSignal): Promise<HostFacts> {
  const options = signal === undefined ? {} : { signal };
  const version = await host.virsh.call(['version'], options);
  const hostname = await host.virsh.call(['hostname'], options);
  const info = await host.virsh.call(['nodeinfo'], options);
  return {
    uri: host.virsh.uri,
    hostname: hostname.trim(),
    libvirtVersion: /Using library: libvirt (\S+)/.exec(version)?.[1] ?? '',
    qemuVersion: /Running hypervisor: QEMU (\S+)/.exec(version)?.[1] ?? '',
    architecture: /CPU model:\s+(\S+)/.exec(info)?.[1] ?? '',
  };
}

export async function getMachine(host: HostContext, uuid: string, signal?: AbortSignal): Promise<Machine> {
  const status = await host.virsh.status(uuid, signal);
  const xml = await host.virsh.xml(uuid, signal === undefined ? {} : { signal });
  return toMachine(status, describeDomain(xml), signal);
}

async function toMachine(status: DomainStatus, domain: DomainXml, signal?: AbortSignal): Promise<Machine> {
  const disks: MachineDisk[] = [];
  for (const disk of domain.disks) {
    const chain = await chainOf(disk, signal).catch(() => [] as { path: string; format: string }[]);
    disks.push({
      target: disk.target,
      bus: disk.bus,
      type: disk.type,
      device: disk.device,
      path: disk.path,
      format: disk.format,
      sizeBytes: await sizeOf(disk.path, disk.format, signal),
      readOnly: disk.readOnly,
      shareable: disk.shareable,
      transient: disk.transient,
      cache: disk.cache,
      chain,
    });
  }
  return {
    uuid: status.uuid,
    name: status.name,
    state: status.state,
    persistent: status.persistent,
    disks,
    memoryBytes: domain.memoryBytes,
    vcpus: domain.vcpus,
    firmware: domain.firmware,
    osType: domain.osType,
    agent: isActive(status) || domain.agentChannel === 'absent' ? domain.agentChannel : 'disconnected',
  };
}

/** Size the guest sees; undefined where the image can't be read, which a listing must survive. */
async function sizeOf(
  path: string | undefined,
  format: string | undefined,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (path === undefined || format === undefined) return undefined;
  try {
    return (await imageInfo(path, { format, ...(signal && { signal }) })).virtualSizeBytes;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

export async function findObstacles(
  host: HostContext,
  view: MachineView,
  excludedDisks: readonly string[],
  signal?: AbortSignal,
): Promise<ProtectionObstacle[]> {
  const { status, domain } = view;
  const images = new Map<string, ImageInfo[] | { failure: string }>();
  const chains = new Map<string, readonly string[]>();
  const blockJobs = new Map<string, string>();
  for (const disk of includedDisks(domain, excludedDisks)) {
    if (!['file', 'block'].includes(disk.type) || disk.path === undefined) continue;
    if (view.active) {
      const job = await host.virsh.blockJob(status.uuid, disk.target, signal);
      if (job !== undefined) blockJobs.set(disk.target, job.type);
    }
    try {
      const chain = await chainOf(disk, signal);
      chains.set(
        disk.target,
        chain.map((layer) => layer.path),
      );
      // Frozen overlays were looked at when they were the active image, and there may be a hundred of them.
      const unknown = chain.filter((layer, depth) => depth === 0 || !isOverlayName(basename(layer.path)));
      images.set(
        disk.target,
        await Promise.all(
          unknown.map((layer) => imageInfo(layer.path, { format: layer.format, ...(signal && { signal }) })),
        ),
      );
    } catch (error) {
      signal?.throwIfAborted();
      images.set(disk.target, { failure: messageOf(error) });
    }
  }
  return judge({
    status,
    domain,
    excludedDisks,
    images,
    chains,
    blockJobs,
    snapshots: await host.virsh.names(status.uuid, 'snapshot', signal),
    checkpoints: await host.virsh.names(status.uuid, 'checkpoint', signal),
    overlayDirectory: host.overlayDirectory,
    tpmDirectory: host.tpmDirectory,
  });
}

export async function listMachines(host: HostContext, signal?: AbortSignal): Promise<Machine[]> {
  const machines: Machine[] = [];
  for (const uuid of await host.virsh.uuids([], signal)) {
    try {
      machines.push(await getMachine(host, uuid, signal));
    } catch (error) {
      // a VM may go between the listing and the question
      if ((await host.virsh.uuids([], signal)).includes(uuid)) throw error;
    }
  }
  return machines.sort((a, b) => a.name.localeCompare(b.name, 'en'));
}
