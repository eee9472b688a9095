import { randomUUID } from 'node:crypto';
import { open, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { errorCatalogue, HoldfastError } from '../errors/index.ts';
import { connectNbd } from '../nbd/index.ts';
import type { Host } from './host.ts';
import type {
  CreateDiskRequest,
  CreateLiveDiskRequest,
  DiskExtent,
  DiskTarget,
  FrozenDiskReader,
  FrozenPoint,
  FrozenPointReader,
  Machine,
  ProtectionObstacle,
  TakePointRequest,
} from './types.ts';

/** Grain at which changes are known, as on a real host. */
const grainBytes = 4096;

interface MemoryPoint {
  pointId: string;
  disks: Map<string, Uint8Array>;
  /** Grains of each disk written between the point before and this one. */
  changed: Map<string, Set<number>>;
  givenUp: boolean;
  frozen: FrozenPoint;
}

interface MemoryMachine {
  uuid: string;
  name: string;
  disks: Map<string, Uint8Array>;
  changed: Map<string, Set<number>>;
  points: MemoryPoint[];
  state: 'running' | 'shut off';
  /** The images of its disks that may stand on an NBD server. */
  live: { target: string; path: string }[];
}

/**
 * A host whose machines are byte arrays: for tests of the rules above it, which must not depend on a hypervisor's
 * speed or mood. What it does, it does truly: points are copies, deltas are what was written, images are files.
 */
export interface MemoryHost extends Host {
  addMachine(name: string, disks: Record<string, number>): string;
  removeMachine(uuid: string): void;
  /** What the guest does. */
  write(uuid: string, target: string, offset: number, data: Uint8Array): void;
  contentOf(uuid: string, target: string): Uint8Array;
  /** Its storage pools, by name: their directories. */
  pools: Map<string, string>;
  /** Called at the beginning of each operation; what it throws, the operation throws. */
  onCall: (operation: keyof Host) => void | Promise<void>;
}

export function createMemoryHost(clock: { now(): Temporal.Instant }): MemoryHost {
  const machines = new Map<string, MemoryMachine>();
  /** What live disks stand on, by inode: they get their names only when they are made. */
  const backings = new Map<number, CreateLiveDiskRequest>();
  const machineOf = (uuid: string): MemoryMachine => {
    const machine = machines.get(uuid);
    if (machine === undefined) throw new HoldfastError('UserErrorVmNotFoundV2', `There is no VM ${uuid}.`);
    return machine;
  };
  const pointOf = (machine: MemoryMachine, pointId: string): MemoryPoint => {
    const point = machine.points.find((candidate) => candidate.pointId === pointId);
    if (point === undefined)
      throw new HoldfastError('RecoveryPointNotOnHost', `Point ${pointId} is not on the host.`);
    return point;
  };
  const describe = (machine: MemoryMachine): Machine => ({
    uuid: machine.uuid,
    name: machine.name,
    state: machine.state,
    persistent: true,
    disks: [...machine.disks].map(([target, content]) => ({
      target,
      bus: 'virtio',
      type: 'file',
      device: 'disk',
      path: undefined,
      format: 'raw',
      sizeBytes: content.length,
      readOnly: false,
      shareable: false,
      transient: false,
      cache: undefined,
      chain: [],
    })),
    memoryBytes: 2 ** 20,
    vcpus: 1,
    firmware: 'bios',
    osType: undefined,
    agent: 'absent',
  });

  const host: MemoryHost = {
    onCall: () => {},
    pools: new Map(),
    addMachine(name, disks) {
      const uuid = randomUUID();
      const contents = new Map(Object.entries(disks).map(([target, size]) => [target, new Uint8Array(size)]));
      machines.set(uuid, {
        uuid,
        name,
        disks: contents,
        changed: noChanges(contents),
        points: [],
        state: 'running',
        live: [],
      });
      return uuid;
    },
    removeMachine: (uuid) => void machines.delete(uuid),
    write(uuid, target, offset, data) {
      const machine = machineOf(uuid);
      machine.disks.get(target)?.set(data, offset);
      for (let at = offset - (offset % grainBytes); at < offset + data.length; at += grainBytes)
        machine.changed.get(target)?.add(at / grainBytes);
    },
    contentOf: (uuid, target) => machineOf(uuid).disks.get(target) ?? new Uint8Array(),

    async facts() {
      await host.onCall('facts');
      return {
        uri: 'memory:',
        hostname: 'memory',
        libvirtVersion: '0',
        qemuVersion: '0',
        architecture: 'none',
      };
    },
    async listMachines() {
      await host.onCall('listMachines');
      return [...machines.values()].map(describe);
    },
    async getMachine(uuid) {
      await host.onCall('getMachine');
      return describe(machineOf(uuid));
    },
    async startMachine(uuid) {
      await host.onCall('startMachine');
      machineOf(uuid).state = 'running';
    },
    async stopMachine(uuid) {
      await host.onCall('stopMachine');
      machineOf(uuid).state = 'shut off';
    },
    hasNetwork: async (name) => name === 'default',
    async poolDirectory(name) {
      const directory = host.pools.get(name);
      if (directory !== undefined) return directory;
      throw new HoldfastError('ResourceNotFound', `The host has no storage pool '${name}'.`, {
        target: name,
      });
    },
    async findObstacles(uuid, excludedDisks): Promise<ProtectionObstacle[]> {
      await host.onCall('findObstacles');
      const left = [...machineOf(uuid).disks.keys()].filter((target) => !excludedDisks.includes(target));
      if (left.length > 0) return [];
      return [{ code: 'InvalidInput', disk: undefined, message: 'It has no disk.', action: 'Add one.' }];
    },
    async reportAgent(uuid) {
      await host.onCall('reportAgent');
      machineOf(uuid);
      const code = 'UserErrorGuestAgentStatusUnavailable';
      return {
        checkedAt: clock.now().toString(),
        status: 'absent',
        canFreeze: false,
        fileAccess: false,
        problem: { code, message: 'The guest has no agent.', action: errorCatalogue[code].action },
      };
    },
    async installFreezeHook(uuid) {
      await host.onCall('installFreezeHook');
      machineOf(uuid);
      throw new HoldfastError('UserErrorGuestAgentStatusUnavailable', 'The guest has no agent.');
    },
    async takePoint(request: TakePointRequest): Promise<FrozenPoint> {
      await host.onCall('takePoint');
      const machine = machineOf(request.machineUuid);
      const known = machine.points.find((point) => point.pointId === request.pointId);
      if (known !== undefined) return known.frozen;
      const included = [...machine.disks].filter(([target]) => !request.excludedDisks.includes(target));
      const frozen: FrozenPoint = {
        pointId: request.pointId,
        machineUuid: machine.uuid,
        machineName: machine.name,
        takenAt: clock.now().toString(),
        powerState: 'running',
        consistency: 'crash',
        ...(request.consistency === 'crash'
          ? { consistencyReason: undefined }
          : {
              consistencyReason: 'The guest has no agent.',
              consistencyCode: 'UserErrorGuestAgentStatusUnavailable' as const,
            }),
        frozenMs: 0,
        disks: included.map(([target, content]) => ({
          target,
          sizeBytes: content.length,
          originalFormat: 'raw',
        })),
        excludedDisks: request.excludedDisks,
        definition: { domainXml: `<domain><name>${machine.name}</name></domain>` },
      };
      machine.points.push({
        pointId: request.pointId,
        disks: new Map(included.map(([target, content]) => [target, content.slice()])),
        changed: machine.changed,
        givenUp: false,
        frozen,
      });
      machine.changed = noChanges(machine.disks);
      return frozen;
    },
    async replaceDisks({ replaced, fill, ...request }) {
      await host.onCall('replaceDisks');
      const machine = machineOf(request.machineUuid);
      const known = machine.points.find((point) => point.pointId === request.pointId);
      if (known !== undefined) return known.frozen;
      if (machine.state !== 'shut off')
        throw new HoldfastError('UserErrorVmNotShutDown', `'${machine.name}' runs.`);
      const contents = new Map(replaced.map((target) => [target, new Uint8Array(sizeOf(machine, target))]));
      await fill(async (target) => memoryTarget(target, contents.get(target) ?? new Uint8Array()));
      const frozen = await host.takePoint(request);
      for (const [target, content] of contents) {
        machine.disks.get(target)?.fill(0);
        host.write(machine.uuid, target, 0, content);
      }
      return frozen;
    },
    async listPoints(uuid) {
      await host.onCall('listPoints');
      // What there is on record, whether the VM is there or not.
      return machines.get(uuid)?.points.map((point) => point.pointId) ?? [];
    },
    async openPoint({ machineUuid, pointId, since }): Promise<FrozenPointReader> {
      await host.onCall('openPoint');
      const machine = machineOf(machineUuid);
      const point = pointOf(machine, pointId);
      const at = machine.points.indexOf(point);
      const from = machine.points.findIndex((candidate) => candidate.pointId === since);
      const between = from >= 0 && from < at ? machine.points.slice(from + 1, at + 1) : undefined;
      return {
        disks: [...point.disks].map(([target, content]) => memoryReader(target, content, between, since)),
        [Symbol.asyncDispose]: async () => {},
      };
    },
    async expirePoints(uuid, pointIds) {
      await host.onCall('expirePoints');
      const machine = machineOf(uuid);
      for (const pointId of pointIds) pointOf(machine, pointId).givenUp = true;
      const merged: string[] = [];
      for (let oldest = machine.points[0]; oldest?.givenUp; oldest = machine.points[0]) {
        if (machine.points.length === 1) break;
        merged.push(oldest.pointId);
        machine.points.shift();
      }
      const waiting = machine.points
        .filter((point) => point.givenUp)
        .map((point) => ({ pointId: point.pointId, reason: 'points below it are kept' }));
      return { merged, waiting };
    },
    async releaseMachine(uuid) {
      await host.onCall('releaseMachine');
      machineOf(uuid).points = [];
    },
    async reconcile() {
      await host.onCall('reconcile');
      return { actions: [], unknownFiles: [], notThawed: [] };
    },
    async createDisk(request) {
      await host.onCall('createDisk');
      return createRawFile(request);
    },
    async createInstantDisk() {
      throw new HoldfastError('OperationNotSupported', 'Byte arrays boot no machine.');
    },
    async flattenMachine() {
      throw new HoldfastError('OperationNotSupported', 'Byte arrays boot no machine.');
    },
    async createLiveDisk(request) {
      await host.onCall('createLiveDisk');
      await (await open(request.path, 'wx')).close();
      backings.set((await stat(request.path)).ino, request);
    },
    async detachLiveMachine(uuid) {
      await host.onCall('detachLiveMachine');
      const { disks, live } = machineOf(uuid);
      for (const { target, path } of live) {
        const backing = backings.get((await stat(path)).ino);
        if (backing === undefined) continue;
        await using client = await connectNbd({
          address: { path: backing.socketPath },
          exportName: backing.exportName,
        });
        const content = await client.read(0, backing.sizeBytes);
        await client.close();
        await writeFile(path, content);
        disks.set(target, content);
      }
      machineOf(uuid).live = [];
    },
    async defineRestored(request) {
      await host.onCall('defineRestored');
      const disks = new Map<string, Uint8Array>();
      for (const { target, path } of request.disks) disks.set(target, await readFile(path));
      const { uuid, name } = request;
      const live = request.live === true ? [...request.disks] : [];
      machines.set(uuid, {
        uuid,
        name,
        disks,
        changed: noChanges(disks),
        points: [],
        state: 'running',
        live,
      });
      return { uuid, name, changes: [] };
    },
    async discardRestored() {
      await host.onCall('discardRestored');
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return host;
}

const sizeOf = ({ name, disks }: MemoryMachine, target: string): number => {
  const disk = disks.get(target);
  if (disk === undefined) throw new HoldfastError('InvalidInput', `'${name}' has no disk ${target}.`);
  return disk.length;
};

const memoryTarget = (path: string, content: Uint8Array): DiskTarget => ({
  path,
  sizeBytes: content.length,
  async write(offset, data, signal) {
    signal?.throwIfAborted();
    content.set(data, offset);
  },
  finish: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

const noChanges = (disks: Map<string, Uint8Array>) =>
  new Map([...disks.keys()].map((target) => [target, new Set<number>()]));

function memoryReader(
  target: string,
  content: Uint8Array,
  between: readonly MemoryPoint[] | undefined,
  since: string | undefined,
): FrozenDiskReader {
  const grains =
    between === undefined
      ? Array.from({ length: Math.ceil(content.length / grainBytes) }, (_, grain) => grain)
      : [...new Set(between.flatMap((point) => [...(point.changed.get(target) ?? [])]))].sort(
          (a, b) => a - b,
        );
  let bytesRead = 0;
  return {
    target,
    sizeBytes: content.length,
    basis:
      between === undefined || since === undefined
        ? { kind: 'full', reason: 'there is no earlier point to build on' }
        : { kind: 'delta', since },
    async *extents(): AsyncIterable<DiskExtent> {
      for (const grain of grains) {
        const offset = grain * grainBytes;
        const bytes = content.subarray(offset, offset + grainBytes);
        const zero = bytes.every((byte) => byte === 0);
        if (!zero || between !== undefined) yield { offset, length: bytes.length, zero };
      }
    },
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      bytesRead += length;
      return content.slice(offset, offset + length);
    },
    get bytesRead() {
      return bytesRead;
    },
    bytesServed: 0,
  };
}

async function createRawFile(request: CreateDiskRequest): Promise<DiskTarget> {
  if (request.format !== 'raw')
    throw new HoldfastError('OperationNotSupported', 'Only raw images can be made here.');
  const file = await open(request.path, 'wx', 0o600);
  await file.truncate(request.sizeBytes);
  let finished = false;
  return {
    path: request.path,
    sizeBytes: request.sizeBytes,
    async write(offset, data, signal) {
      signal?.throwIfAborted();
      await file.write(data, 0, data.length, offset);
    },
    async finish() {
      await file.sync();
      await file.close();
      finished = true;
    },
    async [Symbol.asyncDispose]() {
      if (finished) return;
      await file.close();
      await unlink(request.path);
    },
  };
}
