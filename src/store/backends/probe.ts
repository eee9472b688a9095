import type { BackendCapabilities } from '../backend.ts';
import { type ObjectClient, ObjectFailure } from './object-client.ts';

type Request = <T>(run: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/**
 * Tries out what the service does, with objects whose names begin with `key`; they are deleted afterwards. What it says
 * of itself counts for nothing: services accept headers that they do not honour.
 */
export async function probeCapabilities(
  client: ObjectClient,
  key: string,
  request: Request,
): Promise<BackendCapabilities> {
  const first = Buffer.from('first');
  const second = Buffer.from('second version');
  const put = (body: Buffer, ifAbsent?: true) =>
    request((signal) => client.put(key, body, ifAbsent ? { ifAbsent } : {}, signal));
  const holds = async (body: Buffer) =>
    (await request((signal) => client.get(key, undefined, signal)))?.equals(body) === true;
  try {
    await put(first);
    const conditionalPut = !(await orRefused(() => put(second, true), true)) && (await holds(first));
    await put(second);
    const atomicReplace = await holds(second);
    return {
      conditionalPut,
      atomicReplace,
      contentCheck: await request((signal) => client.refusesWrongSum(`${key}-sum`, signal)),
      objectLock: await request((signal) => client.keepsLocked(`${key}-locked`, signal)),
    };
  } finally {
    for (const name of [key, `${key}-sum`])
      await request((signal) => client.delete(name, signal)).catch(() => {}); // named as probes: they harm nobody
  }
}

/** `otherwise` where the service does not know the request at all. */
async function orRefused<T>(run: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ObjectFailure && error.kind === 'refused') return otherwise;
    throw error;
  }
}
