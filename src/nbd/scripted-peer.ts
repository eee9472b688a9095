import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NbdAddress } from './channel.ts';

/** The server's end of one connection in a test: reads what the client sent, writes whatever bytes it likes. */
export interface Peer {
  /** The next `length` bytes; rejects when the client leaves before it has sent them. */
  read(length: number): Promise<Buffer>;
  write(bytes: Uint8Array): void;
  /** Cuts the connection. */
  hangUp(): void;
}

export interface ScriptedPeer extends AsyncDisposable {
  address: NbdAddress;
  /** Settles with the script; a test that cares about what the client sent awaits it. */
  finished: Promise<void>;
}

/** Listens on a Unix socket, or on TCP, and plays `script` to each client. A tool of the tests of this room. */
export async function scriptedPeer(
  script: (peer: Peer) => Promise<void>,
  network: 'unix' | 'tcp' = 'unix',
): Promise<ScriptedPeer> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-nbd-peer-'));
  const path = join(directory, 'socket');
  const finished = Promise.withResolvers<void>();
  finished.promise.catch(() => {}); // a script may be cut short by a client that is meant to leave
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    script(peerOver(socket)).then(finished.resolve, finished.reject);
  });
  if (network === 'tcp') server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  const listens = server.address();
  const isTcp = listens !== null && typeof listens === 'object';
  return {
    address: isTcp ? { host: listens.address, port: listens.port } : { path },
    finished: finished.promise,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      await rm(directory, { recursive: true });
    },
  };
}

function peerOver(socket: Socket): Peer {
  let received = Buffer.alloc(0);
  let ended = false;
  let wake: (() => void) | undefined;
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    wake?.();
  });
  for (const event of ['error', 'end', 'close']) {
    socket.on(event, () => {
      ended = true;
      wake?.();
    });
  }
  return {
    async read(length) {
      while (received.length < length) {
        if (ended) throw new Error('the client left');
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      const bytes = received.subarray(0, length);
      received = received.subarray(length);
      return bytes;
    },
    write: (bytes) => void socket.write(bytes),
    hangUp: () => void socket.destroy(),
  };
}

/** Big-endian bytes: each number has the width that stands before it. */
export function bytesOf(
  ...parts: (['u16' | 'u32', number] | ['u64', number | bigint] | Uint8Array | string)[]
): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part);
      if (part instanceof Uint8Array) return part;
      const bytes = Buffer.alloc({ u16: 2, u32: 4, u64: 8 }[part[0]]);
      if (part[0] === 'u64') bytes.writeBigUInt64BE(BigInt(part[1]));
      else bytes.writeUIntBE(part[1], 0, bytes.length);
      return bytes;
    }),
  );
}

export const greeting = bytesOf('NBDMAGICIHAVEOPT', ['u16', 3]);

export function optionReply(option: number, type: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  return bytesOf(['u64', 0x3e889045565a9n], ['u32', option], ['u32', type], ['u32', data.length], data);
}

export function exportInfo(sizeBytes: number | bigint, flags: number): Buffer {
  return optionReply(7, 3, bytesOf(['u16', 0], ['u64', sizeBytes], ['u16', flags]));
}

export function blockSizeInfo(minimum: number, preferred: number, maximum: number): Buffer {
  return optionReply(7, 3, bytesOf(['u16', 3], ['u32', minimum], ['u32', preferred], ['u32', maximum]));
}

export function chunk(cookie: bigint, type: number, done: boolean, payload: Uint8Array): Buffer {
  return bytesOf(
    ['u32', 0x668e33ef],
    ['u16', done ? 1 : 0],
    ['u16', type],
    ['u64', cookie],
    ['u32', payload.length],
    payload,
  );
}

export function dataChunk(cookie: bigint, done: boolean, offset: number, data: Uint8Array): Buffer {
  return chunk(cookie, 1, done, bytesOf(['u64', offset], data));
}

export function simpleReply(cookie: bigint, error: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  return bytesOf(['u32', 0x67446698], ['u32', error], ['u64', cookie], data);
}

export interface Request {
  flags: number;
  command: number;
  cookie: bigint;
  offset: number;
  length: number;
  data: Buffer;
}

export async function readRequest(peer: Peer): Promise<Request> {
  const head = await peer.read(28);
  if (head.readUInt32BE(0) !== 0x25609513) throw new Error('a request without its magic');
  const command = head.readUInt16BE(6);
  const length = head.readUInt32BE(24);
  return {
    flags: head.readUInt16BE(4),
    command,
    cookie: head.readBigUInt64BE(8),
    offset: Number(head.readBigUInt64BE(16)),
    length,
    data: command === 1 ? await peer.read(length) : Buffer.alloc(0),
  };
}

/** Reads one option of the client. */
export async function readOption(peer: Peer): Promise<{ option: number; data: Buffer }> {
  const head = await peer.read(16);
  if (head.toString('latin1', 0, 8) !== 'IHAVEOPT') throw new Error('an option without its magic');
  return { option: head.readUInt32BE(8), data: await peer.read(head.readUInt32BE(12)) };
}

export interface AcceptOptions {
  sizeBytes?: number;
  /** Default: everything we use. */
  flags?: number;
  structured?: boolean;
  /** Granted if asked for, ids counting from 1 in this order. */
  contexts?: readonly string[];
  blocks?: [minimum: number, preferred: number, maximum: number];
}

/** Plays a well-behaved handshake. */
export async function acceptClient(peer: Peer, options: AcceptOptions = {}): Promise<void> {
  peer.write(greeting);
  await peer.read(4);
  for (let count = 0; count < 3; count++) {
    const { option } = await readOption(peer);
    if (option === 8) {
      peer.write(optionReply(8, options.structured === false ? 0x80000001 : 1));
    } else if (option === 10) {
      for (const [index, name] of (options.contexts ?? []).entries()) {
        peer.write(optionReply(10, 4, bytesOf(['u32', index + 1], name)));
      }
      peer.write(optionReply(10, 1));
    } else {
      peer.write(exportInfo(options.sizeBytes ?? 1 << 20, options.flags ?? 0b1101101));
      if (options.blocks !== undefined) peer.write(blockSizeInfo(...options.blocks));
      peer.write(optionReply(7, 1));
      return;
    }
  }
}
