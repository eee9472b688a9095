import { type ByteRange, ObjectFailure } from './object-client.ts';

/**
 * Cuts what a put was given into bodies of `partBytes`, the last one shorter; at least one, possibly empty.
 *
 * The memory of an array's members is the caller's until the put has ended, so bodies are views of it where they lie in
 * one member. What a generator yields may be used again for its next part: that is copied.
 */
export async function* bodiesOf(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Buffer> {
  yield* Array.isArray(parts) ? viewsOf(parts, partBytes) : copiesOf(parts, partBytes);
}

function* viewsOf(parts: readonly Uint8Array[], partBytes: number): Generator<Buffer> {
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  const take = () => {
    const [only] = gathered;
    const body = only !== undefined && gathered.length === 1 ? only : Buffer.concat(gathered, gatheredBytes);
    gathered = [];
    gatheredBytes = 0;
    return body;
  };
  let isFirst = true;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (gatheredBytes === partBytes) {
        yield take();
        isFirst = false;
      }
      const length = Math.min(part.length - at, partBytes - gatheredBytes);
      gathered.push(Buffer.from(part.buffer, part.byteOffset + at, length));
      gatheredBytes += length;
      at += length;
    }
  }
  if (isFirst || gatheredBytes > 0) yield take();
}

async function* copiesOf(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Buffer> {
  let body = Buffer.alloc(0);
  let filled = 0;
  let isFirst = true;
  for await (const part of parts) {
    for (let at = 0; at < part.length; ) {
      if (filled === partBytes) {
        yield body;
        isFirst = false;
        filled = 0;
      }
      if (filled === 0) body = Buffer.allocUnsafeSlow(partBytes);
      const length = Math.min(part.length - at, partBytes - filled);
      body.set(part.subarray(at, at + length), filled);
      filled += length;
      at += length;
    }
  }
  if (isFirst || filled > 0) yield body.subarray(0, filled);
}

/**
 * The body of an answer, exactly `length` bytes of it.
 * @throws {Error} when the stream holds fewer or more, which is how a connection that broke looks to some clients
 */
export async function readBody(
  stream: AsyncIterable<Uint8Array>,
  length: number,
  into?: Buffer,
): Promise<Buffer> {
  const target = into ?? Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for await (const piece of stream) {
    if (filled + piece.length > length)
      throw new Error(`the answer is longer than the ${length} bytes announced`);
    target.set(piece, filled);
    filled += piece.length;
  }
  if (filled < length) throw new Error(`the answer ended after ${filled} of ${length} bytes`);
  return target.subarray(0, length);
}

/** That the answer is the part that was asked for: from where, and all that there is of it. */
export function checkRange(range: ByteRange, length: number, contentRange: string | undefined): void {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? '')?.map(Number) ?? [];
  if (first === undefined || last === undefined || total === undefined)
    throw new ObjectFailure('refused', 'the service does not answer requests for a part of an object');
  const expected = Math.min(range.length, total - range.offset);
  if (first !== range.offset || last - first + 1 !== expected || length !== expected)
    throw new ObjectFailure(
      'transient',
      `asked for ${expected} bytes from ${range.offset}, the answer has ${length} from ${first}`,
    );
}
