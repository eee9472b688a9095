/**
 * Bytes in, recovery points out. `README.md` beside this file has the vocabulary and what makes concurrent operations
 * safe, `docs/store-format.md` the format.
 */
export type { Backend, BackendCapabilities, ObjectInfo } from './backend.ts';
export { fileSystemBackend } from './backends/file-system.ts';
export { type MemoryBackend, memoryBackend } from './backends/memory.ts';
export { printPlan } from './collect/plan.ts';
export {
  baseForCopy,
  type CopiedPoint,
  type CopyPointRequest,
  type CopyProgress,
  copyPoint,
} from './copy-point.ts';
export { type Clock, type CreateOptions, createStore, type OpenOptions, openStore } from './open-store.ts';
export type { DiskReader, PointWriter, Store } from './store.ts';
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
