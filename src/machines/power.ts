import { HoldfastError } from '../errors/index.ts';
import type { HostContext } from './host-context.ts';

/** How long a guest may take to shut down by itself before its power is cut, as Azure does it. */
const shutdownMs = 90_000;
const lookAgainMs = 500;

/** Switches a machine on; one that is paused goes on. One that runs is left alone. */
export async function startMachine(host: HostContext, uuid: string, signal?: AbortSignal): Promise<void> {
  const { state, name, stateWord } = await host.virsh.status(uuid, signal);
  if (state === 'running') return;
  if (state === 'paused') return host.virsh.resume(uuid, signal);
  if (state === 'shut off' || state === 'crashed') return host.virsh.start(uuid, signal);
  throw new HoldfastError(
    'UserErrorVmNotInDesirableState',
    `'${name}' can't be started: it is ${stateWord}.`,
    {
      target: uuid,
    },
  );
}

/**
 * Switches a machine off. Its guest is asked to shut down first and has a minute and a half for it; one that is paused
 * can't hear. One that is off is left alone.
 * @param options.force cuts the power at once
 */
export async function stopMachine(
  host: HostContext,
  uuid: string,
  options: { force: boolean; signal?: AbortSignal | undefined },
): Promise<void> {
  const { signal } = options;
  const isOff = async () => ['shut off', 'crashed'].includes((await host.virsh.status(uuid, signal)).state);
  if (await isOff()) return;
  if (!options.force && (await host.virsh.status(uuid, signal)).state === 'running') {
    await host.virsh.shutdown(uuid, signal);
    const until = host.clock.monotonicMs() + shutdownMs;
    while (host.clock.monotonicMs() < until) {
      if (await isOff()) return;
      await host.clock.sleep(lookAgainMs, signal);
    }
    host.log.warn({ vm: uuid }, 'the guest did not shut down in time; its power is cut');
  }
  try {
    await host.virsh.destroy(uuid);
  } catch (error) {
    if (!(await isOff())) throw error; // it went off by itself in the last moment
  }
}
