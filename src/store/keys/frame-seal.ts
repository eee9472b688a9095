import type { KeyObject } from 'node:crypto';
import { type Codec, codecs } from '../pack-format.ts';
import { seal, unseal } from './seal.ts';
import { type ContentKeys, deriveKey } from './store-keys.ts';

/** Keys that the frames of one store are shared out to. */
export const frameKeyCount = 1024;

/** Of each frame key its parts, made when a frame first asks for one: 7 µs each, and about a megabyte when all are there. */
const partsOf = new WeakMap<KeyObject, (KeyObject | undefined)[]>();

/**
 * The key of a chunk's frames. A key may seal 2^32 frames with random nonces, which a large store reaches in its life, so
 * there are many, and the first 10 bits of the id choose: ids are even (they are HMACs), and nobody outside can make them.
 */
export function frameKeyOf({ frameKey }: Pick<ContentKeys, 'frameKey'>, id: Uint8Array): KeyObject {
  let parts = partsOf.get(frameKey);
  if (parts === undefined) {
    parts = new Array<KeyObject | undefined>(frameKeyCount);
    partsOf.set(frameKey, parts);
  }
  const number = ((id[0] ?? 0) << 2) | ((id[1] ?? 0) >> 6);
  parts[number] ??= deriveKey(frameKey, '', `holdfast frame part ${number}`);
  return parts[number];
}

/** What a frame says it is; sealed with it, so that no frame passes for that of another chunk. */
interface FrameClaim {
  id: Uint8Array;
  codec: Codec;
  plainLength: number;
}

/** Id, codec, length of the content: see `docs/store-format.md`. The kind of a chunk follows from its length. */
function contextOf({ id, codec, plainLength }: FrameClaim): Buffer {
  const context = Buffer.alloc(37);
  context.set(id);
  context.writeUInt8(codec, 32);
  context.writeUInt32LE(plainLength, 33);
  return context;
}

/** `content` as `codec` says, plain or zstd; what is stored, in parts, and the codec that says so. */
export function sealFrame(
  keys: ContentKeys,
  { content, ...claim }: FrameClaim & { content: Uint8Array },
): { codec: Codec; parts: readonly Buffer[] } {
  const codec = claim.codec === codecs.zstd ? codecs.sealedZstd : codecs.sealedPlain;
  return { codec, parts: seal(frameKeyOf(keys, claim.id), content, contextOf({ ...claim, codec })) };
}

/** What was sealed; undefined when anything is not as it was. */
export function unsealFrame(
  keys: ContentKeys,
  { bytes, ...claim }: FrameClaim & { bytes: Uint8Array },
): Buffer | undefined {
  return unseal(frameKeyOf(keys, claim.id), bytes, contextOf(claim));
}
