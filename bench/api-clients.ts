/**
 * The clients of `bin/bench api`, a process of their own: what they take of a processor is not the service's. Each has one
 * connection that it keeps, and asks for the next thing as soon as it has an answer.
 */
import { Agent, request } from 'node:https';

export interface Round {
  port: number;
  ca: string;
  /** One client for each. */
  tokens: readonly string[];
  /** What is asked for, in turns. */
  paths: readonly string[];
  /** Answers to wait for, by all clients together. */
  answers: number;
}

export interface RoundResult {
  /** Milliseconds from the request to the end of its answer, in ascending order. */
  times: number[];
  seconds: number;
  bytes: number;
}

async function run({ port, ca, tokens, paths, answers }: Round): Promise<RoundResult> {
  const times: number[] = [];
  let asked = 0;
  let bytes = 0;
  const startedMs = performance.now();
  await Promise.all(
    tokens.map(async (token) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
      try {
        while (asked < answers) {
          const path = paths[asked++ % paths.length] ?? '/';
          const beganMs = performance.now();
          const length = await ask({ port, agent, path, token });
          bytes += length;
          times.push(performance.now() - beganMs);
        }
      } finally {
        agent.destroy();
      }
    }),
  );
  return { times: times.sort((a, b) => a - b), seconds: (performance.now() - startedMs) / 1000, bytes };
}

/** @returns the length of the answer */
function ask(options: { port: number; agent: Agent; path: string; token: string }): Promise<number> {
  const { port, agent, path, token } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        agent,
        path,
        headers: { authorization: `Bearer ${token}` },
        timeout: 60_000,
      },
      (answer) => {
        let length = 0;
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (answer.statusCode !== 200) text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () =>
          answer.statusCode === 200
            ? resolve(length)
            : reject(new Error(`${path}: ${answer.statusCode} ${text}`)),
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${path}: no answer in a minute`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

process.on('message', (round: Round) => {
  run(round).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
