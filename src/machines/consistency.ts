import { freeze, pingAgent, thaw } from './guest-agent.ts';
import type { HostContext } from './host-context.ts';
import type { MachineView } from './machine-view.ts';
import { settleThaw } from './settle.ts';
import type { Consistency, FrozenPoint, TakePointRequest } from './types.ts';

/** What a point can promise about its content. */
export type Agreed = Pick<FrozenPoint, 'consistency' | 'consistencyReason' | 'frozenMs'>;

/**
 * Takes the snapshot with the best consistency the guest gives: frozen by its agent where that works, as it is where
 * it does not. However this ends, a guest that was asked to freeze is thawed, and that is confirmed or an alert raised.
 */
export async function withAgreedConsistency(
  host: HostContext,
  view: MachineView,
  wanted: TakePointRequest['consistency'],
  snapshot: () => Promise<void>,
): Promise<Agreed> {
  const { uuid } = view.status;
  const crash = async (consistencyReason: string | undefined): Promise<Agreed> => {
    await snapshot();
    return { consistency: 'crash', consistencyReason, frozenMs: 0 };
  };
  if (wanted === 'crash') return crash(undefined);
  if (view.status.state === 'paused')
    return crash(`'${view.status.name}' is paused; its guest can't be asked.`);
  if (view.domain.agentChannel === 'absent')
    return crash(`'${view.status.name}' has no guest agent channel (org.qemu.guest_agent.0).`);
  const silent = await pingAgent(host.virsh, uuid);
  if (silent !== undefined) return crash(silent);

  await host.ledgers.update(uuid, (ledger) => ({
    ...ledger,
    thawOwed: true,
    ...(ledger.intent && { intent: { ...ledger.intent, step: 'freezing' } }),
  }));
  try {
    await host.step('freezing');
    return await frozen(host, uuid, snapshot);
  } finally {
    // once more, until the agent itself says so: a freeze that came too late may have followed the first thaw
    await settleThaw(host, uuid);
  }
}

async function frozen(host: HostContext, uuid: string, snapshot: () => Promise<void>): Promise<Agreed> {
  const asked = await freeze(host.virsh, uuid);
  if (asked.failure !== undefined) {
    await thaw(host.virsh, uuid); // not in the way of the snapshot; settleThaw confirms it afterwards
    await snapshot();
    return { consistency: 'crash', consistencyReason: asked.failure, frozenMs: 0 };
  }
  const frozenAt = host.clock.monotonicMs();
  const limit = asked.limitSeconds * 1000;
  let early: ReturnType<typeof thaw> | undefined;
  // The snapshot may wait for libvirt; the guest must not wait with it.
  const timer = setTimeout(() => {
    early = thaw(host.virsh, uuid);
  }, limit);
  let failure: { error: unknown } | undefined;
  try {
    await host.step('frozen');
    await snapshot();
  } catch (error) {
    failure = { error };
  } finally {
    clearTimeout(timer);
  }
  const wasEarly = early !== undefined;
  const thawed = await (early ?? thaw(host.virsh, uuid));
  const frozenMs = Math.round(host.clock.monotonicMs() - frozenAt);
  if (failure !== undefined) throw failure.error;
  if (wasEarly || !thawed.thawed)
    return {
      consistency: 'crash',
      consistencyReason: `The freeze is not known to have held until the snapshot was taken (limit ${asked.limitSeconds} s).`,
      frozenMs,
    };
  // Windows freezes through VSS, whose writers are the applications. On Linux the agent runs whatever freeze hooks it
  // was started with, and neither says whether it has any nor how they ended: only the file systems are certain.
  const consistency: Consistency = asked.windows ? 'application' : 'file-system';
  return { consistency, consistencyReason: undefined, frozenMs };
}
