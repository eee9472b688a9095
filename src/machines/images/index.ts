/**
 * Image files on the host, through qemu-img and qemu-nbd: what they are, overlays over them, and everything that
 * reads and writes their content.
 *
 * Three rules hold throughout. A format is told, never probed: a guest can make its raw disk look like a qcow2 image
 * that refers to any file of the host. A path is data: it reaches QEMU as one argument or inside JSON, whatever
 * characters it holds. A process of ours ends with us, even if we are killed.
 *
 * Failures: `HostToolMissing`, `DiskImageNotFound`, `DiskImageExists`, `DiskImageNotSupported`, `DiskImageDamaged`,
 * `DiskImageInUse`, `DiskImageUnavailable`, `UserErrorHostStorageFull`.
 */
export { createDiskTarget } from './disk-target.ts';
export { imageChain, imageInfo } from './image-info.ts';
export type {
  CheckResult,
  CreateOverlayRequest,
  FileOwner,
  ImageFormat,
  ImageInfo,
  ImageLayer,
} from './image-types.ts';
export { type OpenedImage, type OpenImageRequest, openImage } from './open-image.ts';
export {
  absorbBacking,
  checkImage,
  commitImage,
  createOverlay,
  createOverlayOverNbd,
  type NbdSource,
  rebaseUnsafe,
  standsOnNbd,
} from './overlay.ts';
export { openOverlayTarget } from './overlay-target.ts';
export {
  layersAbove,
  type OpenDiskReader,
  type ReaderRequest,
  readerForPoint,
} from './point-reader.ts';
