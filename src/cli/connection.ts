import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { type CliIo, defaultHome } from './io.ts';
import { readSavedSession } from './saved-session.ts';

export interface ConnectionFlags {
  home?: string | undefined;
  endpoint?: string | undefined;
  tokenFile?: string | undefined;
  caFile?: string | undefined;
}

export interface Connection {
  endpoint: string;
  token: string;
  /** PEM; undefined trusts what the system trusts. */
  ca: string | undefined;
  /** Where that is from. */
  caFile: string | undefined;
  /** Home of the service, where its own file was read. */
  home: string | undefined;
  /** What the user should know but need not act on now. */
  warning: string | undefined;
}

/** What a running service leaves for the command line of its own machine, written anew at each start. */
const localFile = z.object({ endpoint: z.string(), token: z.string(), caFile: z.string().optional() });

/**
 * Which service to talk to: an endpoint that is named (flag before environment), else the one that runs for the home.
 * To a named one goes the token that is given, else that of the session that "login" began there.
 * The token of a home is never sent to an endpoint that was named.
 */
export async function resolveConnection(flags: ConnectionFlags, io: CliIo): Promise<Connection> {
  const { env } = io;
  const caFile = flags.caFile ?? (env.HOLDFAST_CA_FILE || undefined);
  const named = flags.endpoint ?? (flags.home === undefined ? env.HOLDFAST_ENDPOINT || undefined : undefined);
  if (named === undefined) {
    const home = flags.home ?? (env.HOLDFAST_HOME || (io.defaultHome ?? defaultHome()));
    const local = await readLocal(home);
    const token = flags.tokenFile === undefined ? local.token : await readToken(flags.tokenFile);
    const trusted = caFile ?? local.caFile;
    return { ...local, home, token, ca: await readCa(trusted), caFile: trusted };
  }
  const saved = await readSavedSession(named, io);
  const token =
    flags.tokenFile === undefined ? env.HOLDFAST_TOKEN || saved?.token : await readToken(flags.tokenFile);
  if (token === undefined)
    throw new HoldfastError('CredentialsNotUsable', `There is no token for ${named}.`, {
      action: 'Give one with --token-file or HOLDFAST_TOKEN, or sign in with "holdfast login".',
    });
  const trusted = caFile ?? saved?.caFile;
  return {
    endpoint: named,
    token,
    ca: await readCa(trusted),
    caFile: trusted,
    home: undefined,
    warning: undefined,
  };
}

async function readLocal(home: string) {
  const file = join(home, 'run', 'local.json');
  let text: string;
  let mode: number;
  try {
    ({ mode } = await stat(file));
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR')
      throw new HoldfastError('ServiceNotRunning', `No Holdfast service runs for the home ${home}.`, {
        action: `Start it with "holdfast serve --home ${home}", or name another one with --home or --endpoint.`,
        cause: error,
      });
    throw new HoldfastError('CredentialsNotUsable', `${file} can't be read: ${messageOf(error)}.`, {
      action: 'Run this as the user the service runs as, or give an endpoint and a token.',
      cause: error,
    });
  }
  const parsed = localFile.safeParse(parseJson(text));
  if (!parsed.success)
    throw new HoldfastError('CredentialsNotUsable', `${file} is not what a service writes.`, {
      action: 'Restart the service: it writes the file anew.',
    });
  const warning =
    (mode & 0o077) === 0
      ? undefined
      : `${file} holds a token and is open to other users of this machine; make it mode 0600.`;
  return { ...parsed.data, warning };
}

async function readToken(file: string): Promise<string> {
  const token = (await readNamed(file, 'token')).trim();
  if (token !== '') return token;
  throw new HoldfastError('CredentialsNotUsable', `The token file ${file} is empty.`);
}

export async function readCa(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : readNamed(file, 'certificate');
}

async function readNamed(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new HoldfastError('CredentialsNotUsable', `The ${what} file can't be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
