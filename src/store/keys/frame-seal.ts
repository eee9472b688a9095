import { type Codec, codecs } from '../pack-format.ts';
import { seal, unseal } from './seal.ts';
import type { ContentKeys } from './store-keys.ts';

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
  { frameKey }: ContentKeys,
  { content, ...claim }: FrameClaim & { content: Uint8Array },
): { codec: Codec; parts: readonly Buffer[] } {
  const codec = claim.codec === codecs.zstd ? codecs.sealedZstd : codecs.sealedPlain;
  return { codec, parts: seal(frameKey, content, contextOf({ ...claim, codec })) };
}

/** What was sealed; undefined when anything is not as it was. */
export function unsealFrame(
  { frameKey }: ContentKeys,
  { bytes, ...claim }: FrameClaim & { bytes: Uint8Array },
): Buffer | undefined {
  return unseal(frameKey, bytes, contextOf(claim));
}
