import fc from 'fast-check';

/** Inputs tried by each fuzzing test; `FUZZ_RUNS=10000` for a long one. The seed of a failure is printed with it. */
export function fuzzRuns(fewest: number): { numRuns: number } {
  const wanted = Number(process.env.FUZZ_RUNS ?? fewest);
  return { numRuns: Number.isInteger(wanted) && wanted > 0 ? wanted : fewest };
}

/** A change to bytes; `at` and `to` are places, as shares of the length. */
export type Mutation =
  | { kind: 'flip'; at: number; bit: number }
  | { kind: 'write'; at: number; bytes: Uint8Array }
  | { kind: 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'cut'; at: number }
  | { kind: 'remove' | 'repeat' | 'zero'; at: number; to: number };

const few = fc.uint8Array({ minLength: 1, maxLength: 80 });
const place = fc.double({ min: 0, max: 1, noNaN: true });

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('write' as const), at: place, bytes: few }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: few }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({
    kind: fc.constantFrom('remove' as const, 'repeat' as const, 'zero' as const),
    at: place,
    to: place,
  }),
);

/** A copy of `bytes` with the change made. */
export function mutate(bytes: Buffer, change: Mutation): Buffer {
  const at = Math.floor(change.at * bytes.length);
  if (change.kind === 'cut') return Buffer.from(bytes.subarray(0, at));
  if (change.kind === 'flip') {
    const copy = Buffer.from(bytes);
    if (at < copy.length) copy.writeUInt8((copy[at] ?? 0) ^ (1 << change.bit), at);
    return copy;
  }
  if (change.kind === 'insert')
    return Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at)]);
  if (change.kind === 'write') {
    const copy = Buffer.from(bytes);
    copy.set(change.bytes.subarray(0, Math.max(0, copy.length - at)), Math.min(at, copy.length));
    return copy;
  }
  const end = Math.max(at, Math.floor(change.to * bytes.length));
  const part = bytes.subarray(at, end);
  if (change.kind === 'zero')
    return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(part.length), bytes.subarray(end)]);
  if (change.kind === 'repeat') return Buffer.concat([bytes.subarray(0, end), part, bytes.subarray(end)]);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
}
