import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with one request. */
export type Fault =
  /** The connection is reset before anything is answered; `afterServer`: when the server has done its work. */
  | { kind: 'reset'; afterServer?: boolean }
  /** The answer's headers and half of its body arrive, then the connection breaks. */
  | { kind: 'cutBody' }
  /** Half of the body arrives, and the headers say that this is all. */
  | { kind: 'shortBody' }
  /** A bit of the request's body changes on its way to the server. */
  | { kind: 'flipBit' }
  /** Nothing is ever answered. */
  | { kind: 'hang' }
  /** The body of the answer trickles. */
  | { kind: 'slow'; bytesPerSecond: number }
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string };

export interface ProxiedRequest {
  method: string;
  /** Path and query, as sent. */
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** An HTTP proxy on loopback in front of a test server, in which anything can go wrong. */
export interface FaultProxy extends AsyncDisposable {
  /** Like `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** Asked about every request, in order; the default lets all of them pass. */
  fault: (request: ProxiedRequest) => Fault | undefined | Promise<Fault | undefined>;
  /** All that was asked for, as `METHOD url`. */
  readonly seen: string[];
}

/** `rules`: what the proxy adds to the server, after the faults. */
export async function startFaultProxy(
  target: string,
  rules: FaultProxy['fault'] = () => undefined,
): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const seen: string[] = [];
  const proxy = {
    endpoint: '',
    fault: (() => undefined) as FaultProxy['fault'],
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>));
    const { method = 'GET', url = '/', headers } = incoming;
    seen.push(`${method} ${url}`);
    let fault = await proxy.fault({ method, url, headers, body });
    if (fault?.kind === 'flipBit' && body.length > 0) body[0] = (body[0] ?? 0) ^ 1;
    if (fault === undefined || fault.kind === 'flipBit') fault = await rules({ method, url, headers, body });
    if (fault?.kind === 'reset' && !fault.afterServer) return void incoming.socket.resetAndDestroy();
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'answer') {
      outgoing.writeHead(fault.status, fault.headers);
      return void outgoing.end(fault.body);
    }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ hostname, port, method, path: url, headers }, resolve).on('error', reject).end(body);
    });
    const content = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
    if (fault?.kind === 'reset') return void incoming.socket.resetAndDestroy();
    const half = content.subarray(0, Math.floor(content.length / 2));
    const pairs = Object.entries(answer.headers).filter(([, value]) => value !== undefined);
    const answered = Object.fromEntries(pairs) as Record<string, string>;
    if (method !== 'HEAD') {
      delete answered['transfer-encoding'];
      answered['content-length'] = String(fault?.kind === 'shortBody' ? half.length : content.length);
    }
    outgoing.writeHead(answer.statusCode ?? 500, answered);
    if (fault?.kind === 'shortBody') return void outgoing.end(half);
    if (fault?.kind === 'cutBody') {
      outgoing.write(half, () => incoming.socket.resetAndDestroy());
      return;
    }
    if (fault?.kind === 'slow') {
      const step = Math.max(1, Math.ceil(fault.bytesPerSecond / 20));
      for (let at = 0; at < content.length && !outgoing.destroyed; at += step) {
        outgoing.write(content.subarray(at, at + step));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return void outgoing.end();
    }
    outgoing.end(content);
  }

  const server = createServer((incoming, outgoing) => {
    incoming.on('error', () => {});
    outgoing.on('error', () => {});
    forward(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}
