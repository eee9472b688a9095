import { homedir } from 'node:os';

/** Where text goes. A stream fits, and so does a test's string. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

/** All that the command line needs of its surroundings. */
export interface CliIo {
  stdout: Output;
  stderr: Output;
  env: Record<string, string | undefined>;
  /** Aborted by Ctrl-C: ends waiting, not what is waited for. */
  signal?: AbortSignal | undefined;
  /** Milliseconds since 1970. Default: the clock. */
  now?: (() => number) | undefined;
  /** Zone in which times are shown. Default: the system's. */
  timeZone?: string | undefined;
  /** Home of a service that neither --home nor HOLDFAST_HOME names. Default: that of the user. */
  defaultHome?: string | undefined;
  /** How often a followed job is looked at. Default 1 s. */
  pollMs?: number | undefined;
}

/** The reader of our output has gone (`| head`): nobody waits for the rest, and nobody reads a complaint. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

/** Default home of a service: the system's for root, the user's own otherwise. */
export function defaultHome(): string {
  return process.getuid?.() === 0 ? '/var/lib/holdfast' : `${homedir()}/.local/share/holdfast`;
}

/** This process as surroundings: Ctrl-C ends waiting (a second one ends the process), a closed pipe ends it quietly. */
export function processIo(): CliIo {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new Error('Interrupted.')));
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      stop.abort(new OutputClosed());
    });
  return { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: stop.signal };
}
