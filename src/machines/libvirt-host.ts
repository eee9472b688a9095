import { chmod } from 'node:fs/promises';
import { resolve } from 'node:path';
import { makeDirectoryDurable } from '../platform/index.ts';
import { reportAgent } from './agent-report.ts';
import { defineRestored, discardRestored } from './define-restored.ts';
import { expirePoints, releaseMachine } from './expire-points.ts';
import type { Host } from './host.ts';
import type { HostAlert, HostClock, HostContext, HostLog } from './host-context.ts';
import { createDiskTarget, createOverlayOverNbd } from './images/index.ts';
import { installFreezeHook } from './install-hook.ts';
import { createInstantDisk, flattenMachine } from './instant-disk.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { LayerPins } from './layer-pins.ts';
import { LedgerStore } from './ledger.ts';
import { detachLiveMachine } from './live-disk.ts';
import { viewMachine } from './machine-view.ts';
import { openPoint } from './open-point.ts';
import { hasNetwork, poolDirectory } from './pools.ts';
import { startMachine, stopMachine } from './power.ts';
import { reconcile } from './reconcile.ts';
import { withCodes } from './refusals.ts';
import { tryThaw } from './settle.ts';
import { findObstacles, getMachine, hostFacts, listMachines } from './survey.ts';
import { takePoint } from './take-point.ts';
import { ThawKeeper } from './thaw-keeper.ts';
import { checkUuid, Virsh } from './virsh.ts';

export interface LibvirtHostOptions {
  /** `qemu:///system`, `qemu:///session`, `qemu+unix:///session?socket=…`. */
  uri: string;
  /** Holds the ledgers; one process at a time, which the caller makes sure of. Created when missing. */
  stateDirectory: string;
  clock: HostClock;
  log?: HostLog;
  /** Called at once when a guest's file systems may be stuck frozen. */
  onAlert?: (alert: HostAlert) => void;
  /** Called when a guest is known not to be frozen, also where no alert was raised before. */
  onThawed?: (machineUuid: string) => void;
  /** Where the overlays of block devices go; must be visible to QEMU. Without it block devices are refused. */
  overlayDirectory?: string;
  /** Where this libvirt keeps the state of emulated TPMs. Default: known for `qemu:///system` only. */
  tpmDirectory?: string;
  /** No point is taken with less free space than this where overlays go. Default 512 MiB. */
  minimumFreeBytes?: number;
  /** Called after each durable step of an operation; what it throws ends the operation there. */
  onStep?: (step: string) => void | Promise<void>;
}

const silent: HostLog = { info() {}, warn() {}, error() {} };

/**
 * Connects to libvirt on this machine.
 * @throws HostTransportNotSupported, HostUnreachable, HostToolMissing
 */
export async function openLibvirtHost(options: LibvirtHostOptions): Promise<Host> {
  const stateDirectory = resolve(options.stateDirectory);
  const system = /:\/\/\/system(\?|$)/.test(options.uri);
  const tpmDirectory = options.tpmDirectory ?? (system ? '/var/lib/libvirt/swtpm' : undefined);
  const virsh = new Virsh(options.uri, stateDirectory);
  await makeDirectoryDurable(stateDirectory);
  await chmod(stateDirectory, 0o700); // definitions with their secrets are in it
  const ledgers = new LedgerStore(stateDirectory);
  const log = options.log ?? silent;
  const host: HostContext = {
    virsh,
    ledgers,
    thaws: new ThawKeeper(
      options.clock,
      log,
      async (uuid, signal) => {
        // whoever has confirmed it meanwhile took the note away
        if ((await ledgers.read(uuid))?.thawOwed !== true) return true;
        return (await tryThaw({ virsh, ledgers }, uuid, signal)).failure === undefined;
      },
      options.onThawed,
    ),
    pins: new LayerPins(),
    clock: options.clock,
    log,
    overlayDirectory: options.overlayDirectory,
    tpmDirectory,
    minimumFreeBytes: options.minimumFreeBytes ?? 512 * 1024 * 1024,
    alert: (alert) => options.onAlert?.(alert),
    step: (name) => options.onStep?.(name),
  };
  await virsh.call(['version']);
  return new LibvirtHost(host);
}

class LibvirtHost implements Host {
  readonly #host: HostContext;
  readonly #locks = new KeyedMutex();

  constructor(host: HostContext) {
    this.#host = host;
  }

  facts: Host['facts'] = (signal) => withCodes(undefined, () => hostFacts(this.#host, signal));

  listMachines: Host['listMachines'] = (signal) =>
    withCodes(undefined, () => listMachines(this.#host, signal));

  getMachine: Host['getMachine'] = async (uuid, signal) =>
    withCodes(uuid, () => getMachine(this.#host, checkUuid(uuid), signal));

  findObstacles: Host['findObstacles'] = async (uuid, excludedDisks, signal) =>
    withCodes(uuid, async () => {
      const view = await viewMachine(this.#host, checkUuid(uuid), signal);
      return findObstacles(this.#host, view, excludedDisks, signal);
    });

  startMachine: Host['startMachine'] = async (uuid, signal) =>
    withCodes(uuid, () => startMachine(this.#host, checkUuid(uuid), signal));

  stopMachine: Host['stopMachine'] = async (uuid, options) =>
    withCodes(uuid, () => stopMachine(this.#host, checkUuid(uuid), options));

  hasNetwork: Host['hasNetwork'] = (name, signal) =>
    withCodes(name, () => hasNetwork(this.#host, name, signal));

  poolDirectory: Host['poolDirectory'] = (name, signal) =>
    withCodes(name, () => poolDirectory(this.#host, name, signal));

  reportAgent: Host['reportAgent'] = async (uuid, signal) =>
    withCodes(uuid, async () =>
      reportAgent(this.#host, await viewMachine(this.#host, checkUuid(uuid), signal)),
    );

  /** Not beside a freeze: the agent does one thing at a time. */
  installFreezeHook: Host['installFreezeHook'] = async (uuid, signal) => {
    const checked = checkUuid(uuid);
    return this.#alone(checked, signal, async () =>
      installFreezeHook(this.#host, await viewMachine(this.#host, checked, signal)),
    );
  };

  takePoint: Host['takePoint'] = async (request, signal) => {
    const machineUuid = checkUuid(request.machineUuid);
    return this.#alone(machineUuid, signal, () => takePoint(this.#host, { ...request, machineUuid }, signal));
  };

  replaceDisks: Host['replaceDisks'] = async ({ replaced, fill, ...request }, signal) => {
    const machineUuid = checkUuid(request.machineUuid);
    return this.#alone(machineUuid, signal, () =>
      takePoint(this.#host, { ...request, machineUuid }, signal, { replaced, fill }),
    );
  };

  listPoints: Host['listPoints'] = async (uuid) =>
    ((await this.#host.ledgers.read(checkUuid(uuid)))?.points ?? []).map((point) => point.pointId);

  openPoint: Host['openPoint'] = async (request, signal) => {
    const machineUuid = checkUuid(request.machineUuid);
    return withCodes(machineUuid, () => openPoint(this.#host, { ...request, machineUuid }, signal));
  };

  expirePoints: Host['expirePoints'] = async (uuid, pointIds, options) => {
    const checked = checkUuid(uuid);
    return this.#alone(checked, options.signal, () => expirePoints(this.#host, checked, pointIds, options));
  };

  releaseMachine: Host['releaseMachine'] = async (uuid, signal) => {
    const checked = checkUuid(uuid);
    return this.#alone(checked, signal, () => releaseMachine(this.#host, checked, signal));
  };

  reconcile: Host['reconcile'] = (signal) =>
    withCodes(undefined, () => reconcile(this.#host, this.#locks, signal));

  createDisk: Host['createDisk'] = (request, signal) => createDiskTarget(request, signal);

  createInstantDisk: Host['createInstantDisk'] = async (request, signal) => {
    const machineUuid = checkUuid(request.machineUuid);
    return withCodes(machineUuid, () => createInstantDisk(this.#host, { ...request, machineUuid }, signal));
  };

  flattenMachine: Host['flattenMachine'] = async (uuid, options) =>
    withCodes(uuid, () => flattenMachine(this.#host, checkUuid(uuid), options));

  createLiveDisk: Host['createLiveDisk'] = ({ path, sizeBytes, socketPath, exportName }, signal) =>
    createOverlayOverNbd({ path, sizeBytes, backing: { socketPath, exportName } }, signal);

  detachLiveMachine: Host['detachLiveMachine'] = async (uuid, { domainXml }, options) =>
    withCodes(uuid, () => detachLiveMachine(this.#host, checkUuid(uuid), domainXml, options));

  defineRestored: Host['defineRestored'] = (request, signal) =>
    withCodes(request.name, () => defineRestored(this.#host, request, signal));

  discardRestored: Host['discardRestored'] = (request) => discardRestored(this.#host, request);

  /** Operations on the layers of one machine wait for each other. */
  #alone<T>(uuid: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return withCodes(uuid, () => this.#locks.run(uuid, signal, work));
  }

  /** No connection is held between calls: virsh connects anew each time, and so survives a restart of libvirt. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host.thaws[Symbol.asyncDispose]();
  }
}
