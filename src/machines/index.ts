/**
 * Hypervisors: find VMs, freeze, snapshot, read frozen layers, expire, define, restore. Words, ledger, steps and what
 * may run beside what: `README.md`.
 */

export { hookName } from './agent-report.ts';
export { chainLimits } from './chain-plan.ts';
export type { Host } from './host.ts';
export type { HostAlert, HostClock, HostLog } from './host-context.ts';
export { createDiskTarget } from './images/index.ts';
export { freezeHook } from './install-hook.ts';
export { type LibvirtHostOptions, openLibvirtHost } from './libvirt-host.ts';
export { createMemoryHost, type MemoryHost } from './memory-host.ts';
export { crashConsistentObstacle } from './obstacles.ts';
export type {
  AgentReport,
  Consistency,
  CreateDiskRequest,
  CreateLiveDiskRequest,
  DefineRestoredRequest,
  DiskExtent,
  DiskTarget,
  ExtentBasis,
  FrozenDisk,
  FrozenDiskReader,
  FrozenPoint,
  FrozenPointReader,
  HookInstallation,
  HostFacts,
  Machine,
  MachineDefinition,
  MachineDisk,
  OpenPointRequest,
  PowerState,
  ProtectionObstacle,
  ReconcileReport,
  ReplaceDisksRequest,
  RestoredMachine,
  TakePointRequest,
} from './types.ts';
