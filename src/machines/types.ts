/** The plain data that crosses the door of `machines`. All sizes and offsets are in bytes, all times ISO 8601 UTC. */

export type PowerState = 'running' | 'paused' | 'shut off' | 'crashed' | 'other';

export type Consistency = 'application' | 'file-system' | 'crash';

/** What a libvirt connection told about itself. */
export interface HostFacts {
  uri: string;
  hostname: string;
  libvirtVersion: string;
  qemuVersion: string;
  architecture: string;
}

/** One `<disk>` of a domain that could hold data. */
export interface MachineDisk {
  /** Target name in the guest's definition: `vda`. */
  target: string;
  bus: string;
  /** libvirt's disk type: `file`, `block`, `volume`, `network`, ... */
  type: string;
  /** `disk`, `cdrom`, `floppy`, `lun`. Only `disk` is protected. */
  device: string;
  /** Path of the active image on the host, or undefined where it has none (network disk, empty drive). */
  path: string | undefined;
  format: string | undefined;
  /** Virtual size in bytes, where it could be read. */
  sizeBytes: number | undefined;
  readOnly: boolean;
  shareable: boolean;
  transient: boolean;
  /** QEMU's cache mode as the definition has it: `none`, `unsafe`, ...; undefined: QEMU's own default. */
  cache: string | undefined;
  /** Image files from the active one down to the base. */
  chain: readonly { path: string; format: string }[];
}

/** A domain of the host as its XML and state describe it now. */
export interface Machine {
  uuid: string;
  name: string;
  state: PowerState;
  persistent: boolean;
  disks: readonly MachineDisk[];
  memoryBytes: number;
  vcpus: number;
  firmware: 'bios' | 'efi';
  osType: string | undefined;
  /** Whether the definition has a guest agent channel and, for a running guest, whether it is connected. */
  agent: 'absent' | 'disconnected' | 'connected';
}

/** Why a VM, or one of its disks, can't be protected. Empty list: it can. */
export interface ProtectionObstacle {
  code: import('../errors/index.ts').ErrorCode;
  /** Disk target, or undefined when it concerns the whole VM. */
  disk: string | undefined;
  message: string;
  action: string;
}

/** What is known of a VM's guest agent, which is to Holdfast what Azure's backup extension is to Azure. */
export interface AgentReport {
  checkedAt: string;
  /** `absent`: the VM has no channel for it; `not-running`: nobody could be asked. */
  status: 'ready' | 'cannot-freeze' | 'silent' | 'absent' | 'not-running';
  version?: string;
  /** The guest's operating system, in its own words. */
  os?: string;
  canFreeze: boolean;
  /** Whether files may be read and written and programs be run, which installing the freeze hook takes. */
  fileAccess: boolean;
  /** Of Linux guests, where it can be seen: whether the agent runs hooks, and whether ours is among them. */
  freezeHooks?: 'holdfast' | 'holdfast-disabled' | 'enabled' | 'disabled' | 'unknown';
  /** Of Linux guests, where it can be seen: whether scripts are configured. */
  scripts?: boolean;
  /** What stands in the way of better than crash-consistent points. */
  problem?: { code: import('../errors/index.ts').ErrorCode; message: string; action: string };
}

/** What became of putting the freeze hook into a guest. */
export interface HookInstallation {
  /** Where it is in the guest. */
  path: string;
  /** What is left to be done in the guest by hand before it has an effect, in sentences. */
  left: readonly string[];
}

export interface TakePointRequest {
  machineUuid: string;
  /** Chosen by the caller; becomes part of the overlays' file names. Letters, digits and hyphens. */
  pointId: string;
  /** Targets not to include. They are left out of the snapshot altogether. */
  excludedDisks: readonly string[];
  /** `crash` takes no freeze at all (agentless); the default tries the agent and falls down the ladder. */
  consistency: 'application-or-file-system' | 'crash';
}

/** A point that is taken while its disks get other content: it is what they had before. */
export interface ReplaceDisksRequest extends TakePointRequest {
  /** Targets of the disks that get other content. The others that are included go on as after any point. */
  replaced: readonly string[];
  /**
   * Writes the new content. Each disk is opened once and has to be finished; it has the size that the VM's has, and reads
   * as zeros where nothing is written. The VM has its own disks meanwhile, and keeps them when this throws.
   */
  fill(open: (target: string) => Promise<DiskTarget>): Promise<void>;
}

/** One recovery point as it exists on the host: the frozen layers and the definition of that moment. */
export interface FrozenPoint {
  pointId: string;
  machineUuid: string;
  machineName: string;
  takenAt: string;
  powerState: PowerState;
  consistency: Consistency;
  /** Why the consistency is lower than what was asked for, in a sentence; undefined when it is not. */
  consistencyReason: string | undefined;
  /** Code of that reason; its recommended action is the catalogue's. Points of before may lack it. */
  consistencyCode?: import('../errors/index.ts').ErrorCode | undefined;
  /** How long the guest's file systems were frozen, 0 when they were not. */
  frozenMs: number;
  disks: readonly FrozenDisk[];
  excludedDisks: readonly string[];
  definition: MachineDefinition;
}

export interface FrozenDisk {
  target: string;
  sizeBytes: number;
  /** Format of the image the guest had before Holdfast: `raw` or `qcow2`. Restores default to it. */
  originalFormat: string;
}

/** What is needed beside the disks to make the VM again. */
export interface MachineDefinition {
  /** Full domain XML with secrets (`--security-info`), as an inactive definition. */
  domainXml: string;
  /** Contents of the UEFI variable store, base64, where the VM has one. */
  nvramBase64?: string;
  /** Contents of the swtpm state directory as a tar archive, base64, where the VM has one. */
  tpmStateTarBase64?: string;
}

/** A stretch of a disk that a reader has to look at. `zero`: reads as zeros, no need to read it. */
export interface DiskExtent {
  offset: number;
  length: number;
  zero: boolean;
}

/** How a frozen disk's extents were found. */
export type ExtentBasis = { kind: 'delta'; since: string } | { kind: 'full'; reason: string };

/** Reads one disk of a frozen point. Any number of reads may be in flight. */
export interface FrozenDiskReader {
  readonly target: string;
  readonly sizeBytes: number;
  readonly basis: ExtentBasis;
  /**
   * In ascending order, not overlapping. Delta: what changed since the earlier point, at 4 KiB grain. Full: all data;
   * what is not listed reads as zeros.
   */
  extents(signal?: AbortSignal): AsyncIterable<DiskExtent>;
  /**
   * Content of this point at `offset`. A delta reader may only be asked for ranges inside its extents. `into`, of this
   * length, may be filled and returned; nothing touches it once the call has settled. Memory that begins at a page
   * (`alignedMemory`) saves the most.
   */
  read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** Bytes that reads have asked of the image files so far. */
  readonly bytesRead: number;
  /** Of these, what came through a program of QEMU's, and not straight from the files. */
  readonly bytesServed: number;
}

/** The open disks of one frozen point; disposing ends the processes that serve them. */
export interface FrozenPointReader extends AsyncDisposable {
  readonly disks: readonly FrozenDiskReader[];
}

export interface OpenPointRequest {
  machineUuid: string;
  pointId: string;
  /** Read only what changed since this earlier point, where that can be known; otherwise everything. */
  since?: string;
}

/** A new image file under construction. Created exclusively: an existing file is never overwritten. */
export interface DiskTarget extends AsyncDisposable {
  readonly path: string;
  readonly sizeBytes: number;
  /** Unwritten ranges read as zeros and take no space. Any number of writes may be in flight, not overlapping. */
  write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Makes everything durable and closes. Disposing without this deletes the file. */
  finish(): Promise<void>;
}

export interface CreateDiskRequest {
  path: string;
  format: 'raw' | 'qcow2';
  sizeBytes: number;
  /** Owner for the file, so that the VM's QEMU can open it. Default: the owner of the directory. */
  owner?: { uid: number; gid: number };
}

export interface CreateLiveDiskRequest {
  path: string;
  sizeBytes: number;
  /** Where the disk is served, under which name. */
  socketPath: string;
  exportName: string;
}

export interface DefineRestoredRequest {
  definition: MachineDefinition;
  /** Identity of the new domain, chosen by the caller so that it can look for it after a crash. */
  uuid: string;
  /** Name of the new domain; must not exist on the host. */
  name: string;
  /** Image for every included disk, by target. Disks of the XML that are not listed are removed from it. */
  disks: readonly { target: string; path: string; format: 'raw' | 'qcow2' }[];
  /** Its disks are live: when what they stand on does not answer, the machine is paused and the guest told nothing. */
  live?: boolean;
  /** Whether the network interfaces come up connected. Default false: their links are set down. */
  connectNetwork: boolean;
  /** A network of libvirt that all interfaces are connected to, instead of what they are connected to now. */
  network?: string | undefined;
  /** Directory for the NVRAM copy. */
  directory: string;
  start: boolean;
}

export interface RestoredMachine {
  uuid: string;
  name: string;
  /** What of the definition was changed, in sentences, for the person who restores. */
  changes: readonly string[];
}

/** What start-up recovery found on the host and did about it. */
export interface ReconcileReport {
  /** What was finished, undone or found gone, in sentences. */
  actions: readonly string[];
  /** Image files near the VM's disks that look like ours but are in no journal. Never deleted. */
  unknownFiles: readonly string[];
  /** Guests whose file systems could not be confirmed thawed. */
  notThawed: readonly string[];
}
