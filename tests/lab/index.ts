/**
 * A private libvirt with small real Linux guests, for the tests and the demo. It never touches the machine's own
 * libvirt and leaves nothing behind, however the process ends that started it. See `lab.ts` for how.
 */
export type { Disk, DiskSpec } from './disk-files.ts';
export { type GuestExecResult, type GuestOptions, LabGuest } from './guest.ts';
export { findFirmware } from './guest-xml.ts';
export { checkFileSystem, readCounter, readFileInImage } from './inspect-image.ts';
export { type Lab, type LabOptions, startLab } from './lab.ts';
export { canUseBlockDevices } from './loop-devices.ts';
export type { Owner } from './session.ts';
