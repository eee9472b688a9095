import { expect, test } from 'vitest';
import { connectNbd, type NbdClient, type NbdConnectOptions } from './client.ts';
import {
  type AcceptOptions,
  acceptClient,
  bytesOf,
  chunk,
  dataChunk,
  type Peer,
  type Request,
  readRequest,
  scriptedPeer,
  simpleReply,
} from './scripted-peer.ts';

interface Setting {
  accept?: AcceptOptions;
  connect?: Partial<NbdConnectOptions>;
}

/** Connects to a peer that plays `script` after a good handshake, and hands the client to `body`. */
async function withClient(
  setting: Setting,
  script: (peer: Peer) => Promise<void>,
  body: (client: NbdClient) => Promise<void>,
): Promise<void> {
  await using server = await scriptedPeer(async (peer) => {
    await acceptClient(peer, setting.accept);
    await script(peer);
  });
  await using client = await connectNbd({ address: server.address, ...setting.connect });
  await body(client);
  await client.close();
  await server.finished;
}

async function readRequests(peer: Peer, count: number): Promise<Request[]> {
  const requests: Request[] = [];
  for (let n = 0; n < count; n++) requests.push(await readRequest(peer));
  return requests;
}

/** What a disk without secrets holds at each offset. */
const content = (offset: number, length: number) =>
  Buffer.from(Uint8Array.from({ length }, (_, index) => (offset + index) * 7 + ((offset + index) >> 8)));

test('reads are in flight together and may be answered in any order', async () => {
  await withClient(
    {},
    async (peer) => {
      for (const { cookie, offset, length } of (await readRequests(peer, 5)).reverse()) {
        peer.write(dataChunk(cookie, true, offset, content(offset, length)));
      }
    },
    async (client) => {
      const offsets = [0, 5000, 70_000, 3, 1_000_000];
      const answers = await Promise.all(offsets.map((offset) => client.read(offset, 4096)));
      expect(answers).toEqual(offsets.map((offset) => content(offset, 4096)));
    },
  );
});

test('a long read that comes in pieces lands whole', async () => {
  const length = 1 << 20;
  await withClient(
    {},
    async (peer) => {
      const [request] = await readRequests(peer, 1);
      const cookie = request?.cookie ?? 0n;
      const bytes = bytesOf(
        dataChunk(cookie, false, length / 2, content(length / 2, length / 2)),
        dataChunk(cookie, true, 0, content(0, length / 2)),
      );
      for (let at = 0; at < bytes.length; at += 33_333) peer.write(bytes.subarray(at, at + 33_333));
    },
    async (client) => expect(content(0, length).equals(await client.read(0, length))).toBe(true),
  );
});

test('no more requests are in flight than allowed, and the rest follow in order', async () => {
  const seen: number[] = [];
  await withClient(
    { connect: { maxInFlight: 2 } },
    async (peer) => {
      let open = await readRequests(peer, 2);
      for (let answered = 0; answered < 6; answered++) {
        const request = open.shift();
        if (request === undefined) throw new Error('no request');
        seen.push(request.offset);
        peer.write(dataChunk(request.cookie, true, request.offset, content(request.offset, request.length)));
        // Had the client a third request in flight, it would be read here in place of the one this answer released.
        if (answered < 4) open = [...open, await readRequest(peer)];
      }
      const last = await readRequest(peer);
      expect(last.command).toBe(2);
    },
    async (client) => {
      await Promise.all([0, 1, 2, 3, 4, 5].map((offset) => client.read(offset, 1)));
    },
  );
  expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
});

test("reads and writes are cut to the server's largest block, reads widened to its smallest", async () => {
  const seen: [number, number, number][] = [];
  await withClient(
    { accept: { sizeBytes: 4096 * 4, blocks: [512, 4096, 1024] } },
    async (peer) => {
      for (let count = 0; count < 4; count++) {
        const { command, cookie, offset, length, data } = await readRequest(peer);
        seen.push([command, offset, length]);
        if (command === 0) peer.write(dataChunk(cookie, true, offset, content(offset, length)));
        else peer.write(simpleReply(cookie, data.equals(content(offset, length)) ? 0 : 5));
      }
    },
    async (client) => {
      expect(await client.read(700, 1000)).toEqual(content(700, 1000));
      await client.write(1024, content(1024, 1536));
      await expect(client.write(100, content(100, 512))).rejects.toThrow(RangeError);
    },
  );
  expect(seen).toEqual([
    [0, 512, 1024],
    [0, 1536, 512],
    [1, 1024, 1024],
    [1, 2048, 512],
  ]);
});

test('zeroes, trims and flushes say what they mean', async () => {
  const seen: Request[] = [];
  await withClient(
    {},
    async (peer) => {
      for (let count = 0; count < 4; count++) {
        const request = await readRequest(peer);
        seen.push(request);
        peer.write(simpleReply(request.cookie, 0));
      }
    },
    async (client) => {
      await client.writeZeroes(0, 4096);
      await client.writeZeroes(4096, 4096, { noHole: true });
      await client.trim(8192, 100);
      await client.flush();
    },
  );
  expect(seen.map(({ command, flags, offset, length }) => [command, flags, offset, length])).toEqual([
    [6, 0, 0, 4096],
    [6, 2, 4096, 4096],
    [4, 0, 8192, 100],
    [3, 0, 0, 0],
  ]);
});

test('block status is told per context', async () => {
  await withClient(
    { accept: { contexts: ['base:allocation'] }, connect: { contexts: ['base:allocation'] } },
    async (peer) => {
      const { cookie } = await readRequest(peer);
      peer.write(
        chunk(cookie, 5, true, bytesOf(['u32', 1], ['u32', 512], ['u32', 0], ['u32', 512], ['u32', 3])),
      );
    },
    async (client) => {
      expect(await client.blockStatus(0, 4096)).toEqual(
        new Map([
          [
            'base:allocation',
            [
              { length: 512, flags: 0 },
              { length: 512, flags: 3 },
            ],
          ],
        ]),
      );
    },
  );
});

test('what the export can not do is refused before it is sent', async () => {
  await withClient(
    { accept: { flags: 0b11, sizeBytes: 4096 } },
    async () => {},
    async (client) => {
      await expect(client.write(0, Buffer.alloc(1))).rejects.toMatchObject({ kind: 'refused' });
      await expect(client.flush()).rejects.toMatchObject({ kind: 'refused' });
      for (const [offset, length] of [
        [-1, 1],
        [0, 4097],
        [4096, 1],
        [0.5, 1],
        [Number.NaN, 1],
      ] as const) {
        await expect(client.read(offset, length)).rejects.toThrow(RangeError);
      }
      expect(await client.read(4096, 0)).toHaveLength(0);
    },
  );
});

test("a server's error fails one request, the connection goes on", async () => {
  await withClient(
    {},
    async (peer) => {
      const [bad, good] = await readRequests(peer, 2);
      peer.write(chunk(bad?.cookie ?? 0n, 0x8001, true, bytesOf(['u32', 5], ['u16', 0])));
      peer.write(dataChunk(good?.cookie ?? 0n, true, 1, content(1, 1)));
    },
    async (client) => {
      const [bad, good] = await Promise.allSettled([client.read(0, 1), client.read(1, 1)]);
      expect(bad).toMatchObject({ status: 'rejected', reason: { kind: 'server', errorName: 'EIO' } });
      expect(good).toMatchObject({ status: 'fulfilled', value: content(1, 1) });
    },
  );
});

test.each<[string, string, (peer: Peer) => void]>([
  ['the server leaves', 'lost', (peer) => peer.hangUp()],
  ['the server breaks the protocol', 'protocol', (peer) => peer.write(Buffer.alloc(32, 0x55))],
  ['the server is silent', 'timeout', () => {}],
])('when %s, all calls fail: in flight, waiting and later ones', async (_, kind, act) => {
  await using server = await scriptedPeer(async (peer) => {
    await acceptClient(peer);
    await readRequest(peer);
    act(peer);
  });
  await using client = await connectNbd({ address: server.address, maxInFlight: 2, requestTimeoutMs: 30 });
  const calls = await Promise.allSettled([1, 2, 3, 4].map((offset) => client.read(offset, 1)));
  for (const call of calls) expect(call).toMatchObject({ status: 'rejected', reason: { kind } });
  await expect(client.read(0, 1)).rejects.toMatchObject({ kind });
});

test('an abort ends the call at once, in flight or waiting, and harms no other', async () => {
  const stop = new AbortController();
  const mayAnswer = Promise.withResolvers<void>();
  await withClient(
    { connect: { maxInFlight: 1 } },
    async (peer) => {
      const first = await readRequest(peer);
      stop.abort(new Error('enough'));
      await mayAnswer.promise;
      peer.write(dataChunk(first.cookie, true, first.offset, content(first.offset, first.length)));
      const second = await readRequest(peer);
      expect(second.offset).toBe(300);
      peer.write(dataChunk(second.cookie, true, 300, content(300, 1)));
    },
    async (client) => {
      const aborted = [client.read(100, 1, stop.signal), client.read(200, 1, stop.signal)];
      const kept = client.read(300, 1);
      for (const call of aborted) await expect(call).rejects.toThrow('enough');
      mayAnswer.resolve();
      expect(await kept).toEqual(content(300, 1));
      await expect(client.read(0, 1, stop.signal)).rejects.toThrow('enough');
    },
  );
});

test('closing fails what is in flight', async () => {
  await using server = await scriptedPeer((peer) => acceptClient(peer));
  const client = await connectNbd({ address: server.address });
  const call = client.read(0, 1);
  const failed = expect(call).rejects.toMatchObject({ kind: 'lost' });
  await Promise.resolve();
  await client.close();
  await failed;
});
