/**
 * Bytes in, recovery points out. `README.md` beside this file has the vocabulary and what makes concurrent operations
 * safe, `docs/store-format.md` the format.
 */
export type { Backend, BackendCapabilities, ObjectInfo } from './backend.ts';
export { fileSystemBackend } from './backends/file-system.ts';
export { type MemoryBackend, memoryBackend } from './backends/memory.ts';
export { type BackendOptions, openBackend } from './backends/open-backend.ts';
export { parseStoreCredentials } from './backends/store-credentials.ts';
export { isStoreUrl, parseStoreLocation, type StoreLocation } from './backends/store-location.ts';
export { printPlan } from './collect/plan.ts';
export {
  baseForCopy,
  type CopiedPoint,
  type CopyPointRequest,
  type CopyProgress,
  copyPoint,
} from './copy-point.ts';
export { type HealedPoint, healPoint } from './heal-point.ts';
export { newKeyFile } from './keys/key-file.ts';
export type { KeyRing, NewSecret } from './keys/key-ring.ts';
export type { KeyWrapInfo } from './keys/key-wrap.ts';
export { newRecoveryKey } from './keys/recovery-key.ts';
export { checkNewSecret, type SecretKind, type StoreSecret } from './keys/store-secret.ts';
export { type Clock, type CreateOptions, createStore, type OpenOptions, openStore } from './open-store.ts';
export type { DiskReader, OnGap, PointWriter, Store } from './store.ts';
export type {
  CollectOptions,
  CollectPlan,
  CollectProgress,
  CollectReport,
  CommitOptions,
  Damage,
  DiskExtent,
  DiskRoot,
  DiskSource,
  PackAction,
  PackPlan,
  PointOrigin,
  PointRecord,
  StoreStats,
  WriteDiskRequest,
  WriteProgress,
  WrittenDisk,
} from './types.ts';
export type {
  DiskGaps,
  HealReport,
  ObjectDamage,
  PackDamage,
  PointDamage,
  RepairAction,
  RepairOptions,
  RepairReport,
  RepairStep,
  UpkeepOptions,
  VerifyCursor,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from './verify/types.ts';
