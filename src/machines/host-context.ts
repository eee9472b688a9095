import type { LayerPins } from './layer-pins.ts';
import type { LedgerStore } from './ledger.ts';
import type { Virsh } from './virsh.ts';

/** The part of a clock that this room needs. */
export interface HostClock {
  now(): Temporal.Instant;
  /** Milliseconds that only ever go forward. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface HostLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Something a person has to know at once. */
export interface HostAlert {
  code: 'UserErrorGuestNotThawed';
  machineUuid: string;
  message: string;
}

/** Everything an operation on one libvirt host works with. */
export interface HostContext {
  virsh: Virsh;
  ledgers: LedgerStore;
  pins: LayerPins;
  /** Thaws what could not be thawed at once. */
  thaws: { keep(uuid: string): void; release(uuid: string): void } & AsyncDisposable;
  clock: HostClock;
  log: HostLog;
  /** Where overlays of block devices go; without it they can't be protected. */
  overlayDirectory: string | undefined;
  /** Where this libvirt keeps the state of emulated TPMs, one directory per UUID. */
  tpmDirectory: string | undefined;
  /** A point is not taken when a file system that would hold an overlay has less room than this. */
  minimumFreeBytes: number;
  alert(alert: HostAlert): void;
  /** Called after every durable step of an operation, with its name. */
  step(name: string): void | Promise<void>;
}
