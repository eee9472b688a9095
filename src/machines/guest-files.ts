import { reason, type Virsh } from './virsh.ts';

/** Small files in a guest, through its agent. */

const fileSeconds = 5;
/** Nothing we read is longer. */
const largestBytes = 64 * 1024;

export type GuestFile =
  | { kind: 'content'; text: string }
  | { kind: 'missing' }
  /** The agent does not do it: forbidden, too old, or not answering. */
  | { kind: 'refused'; why: string };

/** Reads the beginning of a file, 64 KiB at most. */
export async function readGuestFile(virsh: Virsh, uuid: string, path: string): Promise<GuestFile> {
  let handle: unknown;
  try {
    handle = await virsh.agent(uuid, 'guest-file-open', fileSeconds, { path, mode: 'r' });
  } catch (error) {
    const why = reason(error);
    return /No such file or directory|Not a directory/.test(why)
      ? { kind: 'missing' }
      : { kind: 'refused', why };
  }
  try {
    const read = (await virsh.agent(uuid, 'guest-file-read', fileSeconds, {
      handle,
      count: largestBytes,
    })) as { 'buf-b64'?: string };
    return { kind: 'content', text: Buffer.from(read['buf-b64'] ?? '', 'base64').toString('utf8') };
  } catch (error) {
    return { kind: 'refused', why: reason(error) };
  } finally {
    await close(virsh, uuid, handle);
  }
}

/** Writes a small file whole; its directory must exist. @throws RunError with what the agent says */
export async function writeGuestFile(virsh: Virsh, uuid: string, path: string, text: string): Promise<void> {
  const handle = await virsh.agent(uuid, 'guest-file-open', fileSeconds, { path, mode: 'w' });
  try {
    await virsh.agent(uuid, 'guest-file-write', fileSeconds, {
      handle,
      'buf-b64': Buffer.from(text).toString('base64'),
    });
    await virsh.agent(uuid, 'guest-file-flush', fileSeconds, { handle });
  } finally {
    await close(virsh, uuid, handle);
  }
}

/** A handle that is not closed costs the agent a descriptor; no reason to fail. */
async function close(virsh: Virsh, uuid: string, handle: unknown): Promise<void> {
  await virsh.agent(uuid, 'guest-file-close', fileSeconds, { handle }).catch(() => {});
}
