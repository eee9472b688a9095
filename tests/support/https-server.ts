import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';

export interface Received {
  method: string;
  /** Decoded path, without the query. */
  path: string;
  /** Path and query as they came. */
  url: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Parsed JSON; undefined when there was none. */
  body: unknown;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  /** JSON when it is no string. */
  body?: unknown;
}

export interface HttpsServer extends AsyncDisposable {
  endpoint: string;
  /** PEM of the server's own certificate. */
  ca: string;
}

let made: ReturnType<typeof generate> | undefined;

/** One certificate per process: for 127.0.0.1 and localhost, by itself. */
function certificate() {
  made ??= generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return made;
}

/** A real HTTPS server on a free port that answers as `answer` says; undefined leaves the caller waiting. */
export async function startHttpsServer(
  answer: (received: Received) => Reply | undefined | Promise<Reply | undefined>,
  { port = 0, address = '127.0.0.1' }: { port?: number; address?: string } = {},
): Promise<HttpsServer> {
  const pems = await certificate();
  const server = createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const url = new URL(request.url ?? '/', 'https://localhost');
      const text = Buffer.concat(chunks).toString();
      const reply = await answer({
        method: request.method ?? '',
        path: decodeURIComponent(url.pathname),
        url: request.url ?? '',
        query: url.searchParams,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      });
      if (reply === undefined) return;
      response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
      response.end(
        reply.body === undefined || typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body),
      );
    });
  });
  server.listen(port, address);
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return {
    endpoint: `https://${address}:${bound}`,
    ca: pems.cert,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
