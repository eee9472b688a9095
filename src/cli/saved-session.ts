import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { makeDirectoryDurable, unlinkDurable, writeFileDurable } from '../platform/index.ts';
import type { CliIo } from './io.ts';

const shape = z.object({ endpoint: z.string(), token: z.string(), caFile: z.string().optional() });

/** What "login" leaves for the commands after it: where, and the token of the session. */
export type SavedSession = z.infer<typeof shape>;

const fileOf = ({ env }: CliIo) =>
  join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'holdfast', 'session.json');

/** The session at an endpoint; undefined where there is none, or another one. */
export async function readSavedSession(endpoint: string, io: CliIo): Promise<SavedSession | undefined> {
  try {
    const parsed = shape.safeParse(JSON.parse(await readFile(fileOf(io), 'utf8')));
    return parsed.success && sameOrigin(parsed.data.endpoint, endpoint) ? parsed.data : undefined;
  } catch {
    return undefined; // no file, or none that can be read: nobody has signed in here
  }
}

/** Keeps a session, readable by nobody else. */
export async function saveSession(session: SavedSession, io: CliIo): Promise<string> {
  const file = fileOf(io);
  await makeDirectoryDurable(dirname(file), 0o700);
  await writeFileDurable(file, `${JSON.stringify(session)}\n`, { mode: 0o600 });
  return file;
}

export async function forgetSession(io: CliIo): Promise<void> {
  await unlinkDurable(fileOf(io)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
}

const sameOrigin = (a: string, b: string) =>
  URL.canParse(a) && URL.canParse(b) && new URL(a).origin === new URL(b).origin;
