import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { NbdExport } from './exports.ts';
import { welcome } from './server-handshake.ts';
import { serveRequests } from './server-transmission.ts';
import { SocketReader } from './socket-reader.ts';

export interface NbdServerOptions {
  /** Path of the Unix socket to listen on. Nothing may be there. */
  path: string;
  /** By name; the empty name is what a client gets that asks for none. */
  exports: ReadonlyMap<string, NbdExport>;
  /** Hears why a read failed; the client hears of an I/O error. */
  onError(error: unknown): void;
  /** Clients at once; further ones are hung up on. Default 16. */
  maxClients?: number;
  /** For the whole handshake. Default 10 s. */
  handshakeTimeoutMs?: number;
}

/** Serves disks for reading until it is disposed, which cuts its clients off and removes the socket. */
export interface NbdServer extends AsyncDisposable {
  /** Clients that are connected now. */
  readonly clients: number;
}

/** Starts a server. Resolves when it listens. @throws what listening throws: EADDRINUSE, EACCES, ... */
export async function serveNbd(options: NbdServerOptions): Promise<NbdServer> {
  const { maxClients = 16 } = options;
  const sockets = new Set<Socket>();
  const talks = new Set<Promise<void>>();
  const server: Server = createServer((socket) => {
    if (sockets.size >= maxClients) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const talk = converse(socket, options).finally(() => talks.delete(talk));
    talks.add(talk);
  });
  server.listen(options.path);
  await once(server, 'listening');
  return {
    get clients() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...talks]);
    },
  };
}

/** One client from its first byte to its last. Never rejects. */
async function converse(socket: Socket, options: NbdServerOptions): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort(new Error('the NBD client has left')));
  socket.on('error', () => socket.destroy()); // a client may leave as it likes
  const timer = setTimeout(() => socket.destroy(), options.handshakeTimeoutMs ?? 10_000);
  const reader = new SocketReader(socket);
  try {
    const session = await welcome(reader, (bytes) => void socket.write(bytes), options.exports);
    clearTimeout(timer);
    if (session !== undefined)
      await serveRequests(session, {
        reader,
        send: (...parts) => write(socket, parts, gone.signal),
        signal: gone.signal,
        onError: options.onError,
      });
  } catch (error) {
    if (!gone.signal.aborted) options.onError(error);
  } finally {
    clearTimeout(timer);
    // What was answered still goes out, as far as the client takes it.
    if (!socket.destroyed) {
      socket.end(() => socket.destroy());
      setTimeout(() => socket.destroy(), lastWordsMs).unref();
    }
  }
}

const lastWordsMs = 5_000;

async function write(socket: Socket, parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
  if (socket.destroyed) return;
  socket.cork();
  let hasRoom = true;
  for (const part of parts) hasRoom = socket.write(part);
  socket.uncork();
  if (!hasRoom) await once(socket, 'drain', { signal });
}
