import { expect, test } from 'vitest';
import { connectNbd } from './client.ts';
import { NbdError } from './nbd-error.ts';
import {
  acceptClient,
  blockSizeInfo,
  bytesOf,
  exportInfo,
  greeting,
  optionReply,
  type Peer,
  readOption,
  scriptedPeer,
} from './scripted-peer.ts';

async function failureOf(script: (peer: Peer) => Promise<void>, timeoutMs = 10_000): Promise<NbdError> {
  await using server = await scriptedPeer(script);
  const error = await connectNbd({
    address: server.address,
    contexts: ['base:allocation'],
    connectTimeoutMs: timeoutMs,
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(NbdError);
  return error as NbdError;
}

/** A handshake up to the go option, which `answer` then replies to. */
const beforeGo =
  (...answer: Buffer[]) =>
  async (peer: Peer) => {
    peer.write(greeting);
    await peer.read(4);
    for (let option = 0; option !== 7; ) {
      ({ option } = await readOption(peer));
      if (option !== 7) peer.write(optionReply(option, 1));
    }
    peer.write(Buffer.concat(answer));
  };

test('tells size, block sizes and granted contexts, and names the export to the server', async () => {
  const seen: Buffer[] = [];
  await using server = await scriptedPeer(async (peer) => {
    peer.write(greeting);
    expect(await peer.read(4)).toEqual(bytesOf(['u32', 3]));
    expect((await readOption(peer)).option).toBe(8);
    peer.write(optionReply(8, 1));
    seen.push((await readOption(peer)).data);
    peer.write(optionReply(10, 4, bytesOf(['u32', 7], 'qemu:allocation-depth')));
    peer.write(optionReply(10, 1));
    seen.push((await readOption(peer)).data);
    peer.write(
      Buffer.concat([blockSizeInfo(512, 4096, 1 << 21), exportInfo(123 * 512, 3), optionReply(7, 1)]),
    );
  });
  await using client = await connectNbd({
    address: server.address,
    exportName: 'dïsk',
    contexts: ['base:allocation', 'qemu:allocation-depth'],
  });
  expect(client.sizeBytes).toBe(123 * 512);
  expect(client.readOnly).toBe(true);
  expect([client.minimumBlock, client.maximumBlock]).toEqual([512, 1 << 21]);
  expect(client.contexts).toEqual(['qemu:allocation-depth']);
  const name = bytesOf(['u32', 5], 'dïsk');
  const queries = bytesOf(['u32', 2], ['u32', 15], 'base:allocation', ['u32', 21], 'qemu:allocation-depth');
  expect(seen).toEqual([bytesOf(name, queries), bytesOf(name, ['u16', 1], ['u16', 3])]);
});

test('a server is reached over TCP as well', async () => {
  await using server = await scriptedPeer((peer) => acceptClient(peer, { sizeBytes: 77 }), 'tcp');
  expect(server.address).toHaveProperty('port');
  await using client = await connectNbd({ address: server.address });
  expect(client.sizeBytes).toBe(77);
});

test('does without structured replies and contexts where the server has none', async () => {
  await using server = await scriptedPeer((peer) => acceptClient(peer, { structured: false, sizeBytes: 5 }));
  await using client = await connectNbd({ address: server.address, contexts: ['base:allocation'] });
  expect(client.contexts).toEqual([]);
  await expect(client.blockStatus(0, 1)).rejects.toMatchObject({ kind: 'refused' });
});

test('a refused export is told with what the server said', async () => {
  const error = await failureOf(beforeGo(optionReply(7, 0x80000006, Buffer.from('no such thing'))));
  expect(error.kind).toBe('refused');
  expect(error.message).toContain('no such thing');
});

test.each([
  ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['an old NBD server', bytesOf('NBDMAGIC', ['u64', 0x00420281861253n], ['u16', 0])],
])('%s at the other end is refused', async (_, hello) => {
  expect((await failureOf(async (peer) => peer.write(hello))).kind).toBe('refused');
});

test.each([
  ['no export size', [optionReply(7, 1)]],
  ['a size beyond what a number holds', [exportInfo(1n << 60n, 0), optionReply(7, 1)]],
  ['a reply to another option', [optionReply(8, 1)]],
  ['a reply of another type', [optionReply(7, 2)]],
  ['a reply of 4 GiB', [bytesOf(['u64', 0x3e889045565a9n], ['u32', 7], ['u32', 3], ['u32', 0xffffffff])]],
  ['a reply without magic', [Buffer.alloc(20)]],
  ['short export information', [optionReply(7, 3, bytesOf(['u16', 0], ['u32', 1]))]],
  ['a minimum block of 3', [blockSizeInfo(3, 4096, 4096)]],
  ['a minimum block of 0', [blockSizeInfo(0, 4096, 4096)]],
  ['a maximum block below the minimum', [blockSizeInfo(4096, 4096, 512)]],
  ['more replies than anyone needs', Array.from({ length: 100 }, () => exportInfo(1, 0))],
])('%s breaks the handshake', async (_, answer) => {
  expect((await failureOf(beforeGo(...answer))).kind).toBe('protocol');
});

test.each([
  ['not asked for', [bytesOf(['u32', 1], 'base:other')]],
  ['with one id twice', [bytesOf(['u32', 1], 'base:allocation'), bytesOf(['u32', 1], 'base:allocation')]],
  ['without a name', [bytesOf(['u32', 1])]],
])('a meta context %s breaks the handshake', async (_, contexts) => {
  const error = await failureOf(async (peer) => {
    peer.write(greeting);
    await peer.read(4);
    await readOption(peer);
    peer.write(optionReply(8, 1));
    await readOption(peer);
    for (const context of contexts) peer.write(optionReply(10, 4, context));
  });
  expect(error.kind).toBe('protocol');
});

test('a server that leaves, or is silent, is told apart', async () => {
  expect((await failureOf(async (peer) => peer.hangUp())).kind).toBe('lost');
  expect((await failureOf(async () => {}, 20)).kind).toBe('timeout');
});

test('nobody listening is unreachable; an abort is what it is', async () => {
  await expect(connectNbd({ address: { path: '/nonexistent/socket' } })).rejects.toMatchObject({
    kind: 'unreachable',
  });
  await using server = await scriptedPeer(async () => {});
  const stop = new AbortController();
  const connecting = connectNbd({ address: server.address, signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(connecting).rejects.toThrow('enough');
});
