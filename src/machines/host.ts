import type {
  AgentReport,
  CreateDiskRequest,
  CreateLiveDiskRequest,
  DefineRestoredRequest,
  DiskTarget,
  FrozenPoint,
  FrozenPointReader,
  HookInstallation,
  HostFacts,
  Machine,
  MachineDefinition,
  OpenPointRequest,
  ProtectionObstacle,
  ReconcileReport,
  ReplaceDisksRequest,
  RestoredMachine,
  TakePointRequest,
} from './types.ts';

/**
 * One hypervisor with its virtual machines: everything the jobs ask of it. libvirt is the first implementation.
 *
 * Concurrency: any calls may run side by side for different machines. For one machine, `takePoint`, `replaceDisks`,
 * `expirePoints`, `releaseMachine` and `reconcile` wait for each other; readers may stay open meanwhile, and `expirePoints` leaves a
 * layer alone that is being read.
 */
export interface Host extends AsyncDisposable {
  facts(signal?: AbortSignal): Promise<HostFacts>;
  listMachines(signal?: AbortSignal): Promise<Machine[]>;
  /** @throws UserErrorVmNotFoundV2 */
  getMachine(uuid: string, signal?: AbortSignal): Promise<Machine>;

  /** Everything that stands in the way of protecting the machine; touches nothing. */
  findObstacles(
    uuid: string,
    excludedDisks: readonly string[],
    signal?: AbortSignal,
  ): Promise<ProtectionObstacle[]>;

  /** Switches it on; one that runs is left alone. */
  startMachine(uuid: string, signal?: AbortSignal): Promise<void>;
  /** Switches it off: by its guest, and after a while, or at once with `force`, by cutting its power. */
  stopMachine(uuid: string, options: { force: boolean; signal?: AbortSignal }): Promise<void>;
  hasNetwork(name: string, signal?: AbortSignal): Promise<boolean>;
  /** The directory of a storage pool that is one, for restores into it. @throws ResourceNotFound, InvalidInput */
  poolDirectory(name: string, signal?: AbortSignal): Promise<string>;

  /** Asks the guest's agent what it is and can do; changes nothing. Never throws for an agent that does not answer. */
  reportAgent(uuid: string, signal?: AbortSignal): Promise<AgentReport>;
  /**
   * Puts our freeze hook into the guest, which runs an administrator's scripts for application-consistent points.
   * @throws UserErrorGuestFileAccessNotAllowed, UserErrorGuestAgentStatusUnavailable, AzureVmOffline
   */
  installFreezeHook(uuid: string, signal?: AbortSignal): Promise<HookInstallation>;

  /**
   * Freezes all disks of the machine at one moment. When it throws, nothing of the attempt is left behind. Asked again
   * for a point that exists, it returns that one: a caller that died before the answer may repeat the question.
   */
  takePoint(request: TakePointRequest, signal?: AbortSignal): Promise<FrozenPoint>;
  /**
   * Gives disks of a machine that is off other content, all at once, and keeps what they had as a point. When it throws,
   * or the process dies, the machine has the disks of before, or those of after and the point; asked again for a point
   * that exists, it returns that one.
   * @throws UserErrorVmNotShutDown, UserErrorVmNotInDesirableState when the machine was changed meanwhile
   */
  replaceDisks(request: ReplaceDisksRequest, signal?: AbortSignal): Promise<FrozenPoint>;
  /** Ids of the points of this machine whose frozen layers are on the host, oldest first. */
  listPoints(uuid: string): Promise<string[]>;
  /** @throws RecoveryPointNotOnHost when its layers are no longer there */
  openPoint(request: OpenPointRequest, signal?: AbortSignal): Promise<FrozenPointReader>;

  /**
   * Gives up the snapshot tier of these points and merges what can be merged from the bottom. The newest point's
   * layers are kept: they are the boundary the next backup counts its changes from.
   * @returns points whose layers are gone for good, and why the others had to wait
   */
  expirePoints(
    uuid: string,
    pointIds: readonly string[],
    options: { bandwidthBytesPerSecond?: number; signal?: AbortSignal },
  ): Promise<{ merged: string[]; waiting: { pointId: string; reason: string }[] }>;

  /** Merges every layer of ours back into the machine's own images, so that it is as before protection. */
  releaseMachine(uuid: string, signal?: AbortSignal): Promise<void>;

  /** Compares journal, domain XML and files after a crash; finishes or undoes what was under way; thaws. */
  reconcile(signal?: AbortSignal): Promise<ReconcileReport>;

  createDisk(request: CreateDiskRequest, signal?: AbortSignal): Promise<DiskTarget>;
  /** Creates a qcow2 overlay over the frozen disk, so that a VM can run from a point at once. Pins the layers. */
  createInstantDisk(
    request: { machineUuid: string; pointId: string; target: string; path: string },
    signal?: AbortSignal,
  ): Promise<void>;
  /** Makes the disks of a running machine that stand on frozen layers independent of them. */
  flattenMachine(
    uuid: string,
    options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal },
  ): Promise<void>;
  /**
   * Creates a qcow2 overlay over a disk that will be served over NBD on a Unix socket, so that a VM can run from it at
   * once.
   */
  createLiveDisk(request: CreateLiveDiskRequest, signal?: AbortSignal): Promise<void>;
  /**
   * Makes a machine independent of the server that its live disks stand on, whether it runs or not. The server must be
   * there; what was left off by a failure or a crash is done when this is called again.
   * @param definition of the recovery point, for how its disks treat errors
   */
  detachLiveMachine(
    uuid: string,
    definition: MachineDefinition,
    options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal },
  ): Promise<void>;
  /** Defines (and starts, if asked) a restored machine with a new identity. When it throws, it is not defined. */
  defineRestored(request: DefineRestoredRequest, signal?: AbortSignal): Promise<RestoredMachine>;
  /** Removes what a process that died in `defineRestored` left beside the disks. The machine must not be defined. */
  discardRestored(request: { uuid: string; directory: string }): Promise<void>;
}
