import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Intake } from './intake.ts';
import { NbdError } from './nbd-error.ts';
import { type Pending, pendingRead, readReplies } from './replies.ts';
import { bytesOf, chunk, dataChunk, simpleReply } from './scripted-peer.ts';

const contexts = new Map([
  [1, 'base:allocation'],
  [2, 'qemu:allocation-depth'],
]);

interface Session {
  inFlight: Map<number, Pending>;
  done: number[];
  feed(bytes: Uint8Array): void;
}

/** Requests in flight: 1 reads 16 bytes at 100, 2 asks the status of 4096 bytes, 3 writes, 4 reads 4 bytes at 0. */
function session(structuredReplies = true): Session {
  const inFlight = new Map<number, Pending>([
    [1, pendingRead(100, Buffer.alloc(16, 0xee))],
    [2, { kind: 'status', length: 4096, found: new Map(), error: undefined }],
    [3, { kind: 'plain', error: undefined }],
    [4, pendingRead(0, Buffer.alloc(4, 0xee))],
  ]);
  const done: number[] = [];
  const reading = readReplies(
    { structuredReplies, contexts },
    (cookie) => (done.includes(cookie) ? undefined : inFlight.get(cookie)),
    (cookie) => done.push(cookie),
  );
  const intake = new Intake(reading);
  return { inFlight, done, feed: (bytes) => void intake.push(bytes) };
}

const status = (id: number, ...numbers: number[]) =>
  bytesOf(['u32', id], ...numbers.map((number): ['u32', number] => ['u32', number]));
const hole = (offset: number, length: number) => bytesOf(['u64', offset], ['u32', length]);
const error = (number: number, text: string) =>
  bytesOf(['u32', number], ['u16', Buffer.byteLength(text)], text);

const conversation = Buffer.concat([
  dataChunk(1n, false, 108, Buffer.alloc(8, 2)),
  chunk(2n, 5, false, status(2, 4096, 1)),
  dataChunk(4n, true, 0, Buffer.from('abcd')),
  chunk(1n, 2, false, hole(104, 4)),
  simpleReply(3n, 0),
  chunk(2n, 5, true, status(1, 1024, 0, 9999, 3)),
  dataChunk(1n, false, 100, Buffer.alloc(4, 1)),
  chunk(1n, 0, true, Buffer.alloc(0)),
]);

test('puts answers together, however interleaved and however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (cuts) => {
      const { inFlight, done, feed } = session();
      for (let at = 0, n = 0; at < conversation.length; n++) {
        const length = cuts[n % cuts.length] ?? 1;
        feed(conversation.subarray(at, at + length));
        at += length;
      }
      expect(done).toEqual([4, 3, 2, 1]);
      const [first, second, , fourth] = [...inFlight.values()];
      expect(first).toMatchObject({
        target: bytesOf(Buffer.alloc(4, 1), Buffer.alloc(4, 0), Buffer.alloc(8, 2)),
      });
      expect(second).toMatchObject({
        found: new Map([
          [2, [{ length: 4096, flags: 1 }]],
          [
            1,
            [
              { length: 1024, flags: 0 },
              { length: 3072, flags: 3 },
            ],
          ],
        ]),
      });
      expect(fourth).toMatchObject({ target: Buffer.from('abcd') });
    }),
  );
});

test('an error ends one request only, even in the middle of its data', () => {
  const { inFlight, done, feed } = session();
  feed(dataChunk(1n, false, 100, Buffer.alloc(4)));
  feed(chunk(1n, 0x8002, false, bytesOf(error(5, 'bad\n\x1b sector'), ['u64', 104])));
  feed(chunk(1n, 0, true, Buffer.alloc(0)));
  feed(simpleReply(3n, 28));
  feed(chunk(4n, 0x8077, true, Buffer.from('from the future')));
  expect(done).toEqual([1, 3, 4]);
  expect(inFlight.get(1)?.error).toMatchObject({ kind: 'server', errorName: 'EIO' });
  expect(inFlight.get(1)?.error?.message).toContain('bad sector');
  expect(inFlight.get(3)?.error).toMatchObject({ kind: 'server', errorName: 'ENOSPC' });
  expect(inFlight.get(4)?.error).toMatchObject({ kind: 'server' });
});

test('simple replies carry the data where nothing else was agreed on', () => {
  const { inFlight, done, feed } = session(false);
  feed(simpleReply(4n, 0, Buffer.from('wxyz')));
  feed(simpleReply(1n, 5));
  expect(done).toEqual([4, 1]);
  expect(inFlight.get(4)).toMatchObject({ target: Buffer.from('wxyz') });
  expect(inFlight.get(1)?.error).toMatchObject({ errorName: 'EIO' });
});

const head = (type: number, cookie: bigint, length: number) =>
  bytesOf(['u32', 0x668e33ef], ['u16', 1], ['u16', type], ['u64', cookie], ['u32', length]);

test.each<[string, Buffer]>([
  ['a wrong magic', Buffer.alloc(16, 0x41)],
  ['an unknown cookie', simpleReply(9n, 0)],
  ['a cookie beyond any of ours', simpleReply(0xffffffffffffffffn, 0)],
  ['a second answer', bytesOf(simpleReply(3n, 0), simpleReply(3n, 0))],
  ['a simple reply to a read', simpleReply(1n, 0)],
  ['data before its request', dataChunk(1n, true, 99, Buffer.alloc(16))],
  ['data beyond its request', dataChunk(1n, true, 101, Buffer.alloc(16))],
  ['data far beyond', dataChunk(1n, true, 2 ** 50, Buffer.alloc(16))],
  ['a data chunk of 4 GiB', bytesOf(head(1, 1n, 0xffffffff), ['u64', 100])],
  ['a data chunk without data', chunk(1n, 1, true, bytesOf(['u64', 100]))],
  [
    'data twice',
    bytesOf(dataChunk(1n, false, 100, Buffer.alloc(9)), dataChunk(1n, true, 108, Buffer.alloc(8))),
  ],
  ['a hole over data', bytesOf(dataChunk(1n, false, 100, Buffer.alloc(9)), chunk(1n, 2, true, hole(108, 8)))],
  ['a hole of no length', chunk(1n, 2, true, hole(100, 0))],
  ['a hole of 4 GiB', chunk(1n, 2, true, hole(100, 0xffffffff))],
  ['a hole of a wrong form', chunk(1n, 2, true, Buffer.alloc(13))],
  ['a read answered in part', dataChunk(1n, true, 100, Buffer.alloc(15))],
  ['a read answered by nothing', chunk(1n, 0, true, Buffer.alloc(0))],
  ['an empty chunk with content', chunk(3n, 0, true, Buffer.alloc(1))],
  ['an empty chunk that is not the last', chunk(3n, 0, false, Buffer.alloc(0))],
  ['data in answer to a write', dataChunk(3n, true, 0, Buffer.alloc(1))],
  ['status in answer to a read', chunk(1n, 5, true, status(1, 16, 0))],
  ['an unknown chunk type', chunk(1n, 17, true, Buffer.alloc(0))],
  ['status of a context not agreed on', chunk(2n, 5, true, status(3, 4096, 0))],
  [
    'status of one context twice',
    bytesOf(chunk(2n, 5, false, status(1, 1, 0)), chunk(2n, 5, true, status(1, 1, 0))),
  ],
  ['status of no length', chunk(2n, 5, true, status(1, 0, 0))],
  ['status beyond its request', chunk(2n, 5, true, status(1, 4096, 0, 1, 0))],
  ['status without extents', chunk(2n, 5, true, status(1))],
  ['status of a broken length', chunk(2n, 5, true, status(1, 4096))],
  ['status of 4 GiB', head(5, 2n, 0xfffffffc)],
  ['status of some contexts', chunk(2n, 5, true, status(1, 4096, 0))],
  ['an error of 4 GiB', head(0x8001, 1n, 0xffffffff)],
  ['an error that is none', chunk(1n, 0x8001, true, error(0, ''))],
  ['an error with a wrong text length', chunk(1n, 0x8001, true, bytesOf(['u32', 5], ['u16', 9], 'short'))],
  ['an error too short to be one', chunk(1n, 0x8001, true, Buffer.alloc(3))],
])('%s breaks the connection', (_, bytes) => {
  const { feed } = session();
  expect(() => feed(bytes)).toThrow(expect.objectContaining({ name: 'NbdError', kind: 'protocol' }));
});

test('damage to a good conversation gives an error or other content, never another kind of failure', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(conversation.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (damages) => {
        const damaged = Buffer.from(conversation);
        for (const [at, value] of damages) damaged[at] = value;
        const { done, feed } = session();
        try {
          feed(damaged);
        } catch (thrown) {
          expect(thrown).toMatchObject({ name: 'NbdError', kind: 'protocol' });
        }
        expect(new Set(done).size).toBe(done.length);
      },
    ),
    { numRuns: 1000 },
  );
});

test('noise is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 200 }), (noise) => {
      expect(() => session().feed(noise)).toThrow(NbdError);
    }),
  );
});
