import { HoldfastError } from '../errors/index.ts';
import { freeze, type GuestProblem, pingAgent, thaw } from './guest-agent.ts';
import { areApplicationsReady, type FreezeReport, problemOf, scriptConfigPath } from './guest-scripts.ts';
import type { HostContext } from './host-context.ts';
import type { MachineView } from './machine-view.ts';
import { crashConsistentObstacle } from './obstacles.ts';
import { awaitReport, type PlannedScripts, planScripts } from './run-scripts.ts';
import { settleThaw } from './settle.ts';
import type { Consistency, FrozenPoint, TakePointRequest } from './types.ts';

/** What a point can promise about its content. */
export type Agreed = Pick<FrozenPoint, 'consistency' | 'consistencyReason' | 'consistencyCode' | 'frozenMs'>;

/** A point whose guest was not frozen, or not for certain. */
export function crashConsistent(problem: GuestProblem | undefined, frozenMs = 0): Agreed {
  return {
    consistency: 'crash',
    consistencyReason: problem?.message,
    ...(problem && { consistencyCode: problem.code }),
    frozenMs,
  };
}

/**
 * Takes the snapshot with the best consistency the guest gives: frozen by its agent where that works, as it is where
 * it does not. However this ends, a guest that was asked to freeze is thawed, and that is confirmed or an alert raised.
 * @throws the code of what failed where a freeze failed and the VM can't have crash-consistent points
 */
export async function withAgreedConsistency(
  host: HostContext,
  view: MachineView,
  request: Pick<TakePointRequest, 'consistency' | 'excludedDisks'>,
  snapshot: () => Promise<void>,
): Promise<Agreed> {
  const { uuid } = view.status;
  if (request.consistency === 'crash') {
    await snapshot();
    return crashConsistent(undefined);
  }
  const unasked = await whyNotAsked(host, view);
  if (unasked !== undefined) {
    await snapshot();
    return crashConsistent(unasked);
  }
  const scripts = await planScripts(host.virsh, uuid);
  await host.ledgers.update(uuid, (ledger) => ({
    ...ledger,
    thawOwed: true,
    ...(ledger.intent && { intent: { ...ledger.intent, step: 'freezing' } }),
  }));
  let agreed: Agreed;
  try {
    await host.step('freezing');
    const noFallback = crashConsistentObstacle(view.domain.disks, request.excludedDisks);
    agreed = await frozen(host, uuid, { noFallback, scripts }, snapshot);
  } finally {
    // once more, until the agent itself says so: a freeze that came too late may have followed the first thaw
    await settleThaw(host, uuid);
  }
  if (scripts === undefined || agreed.consistency === 'crash') return agreed;
  return withScripts(agreed, await awaitReport(host.virsh, uuid, scripts));
}

/** Why there is no use in asking the guest to freeze. */
async function whyNotAsked(host: HostContext, view: MachineView): Promise<GuestProblem | undefined> {
  const { uuid, name, state } = view.status;
  if (state === 'paused')
    return { code: 'UserErrorVmPaused', message: `'${name}' is paused; its guest can't be asked.` };
  if (view.domain.agentChannel === 'absent')
    return {
      code: 'UserErrorGuestAgentStatusUnavailable',
      message: `'${name}' has no guest agent channel (org.qemu.guest_agent.0).`,
    };
  if ((await host.ledgers.read(uuid))?.thawOwed === true)
    // asked once more, it might be thawed in the middle by who still tries to end the freeze before
    return {
      code: 'UserErrorGuestNotThawed',
      message: `The guest of '${name}' is not known to be thawed since its last freeze.`,
    };
  return pingAgent(host.virsh, uuid);
}

async function frozen(
  host: HostContext,
  uuid: string,
  { noFallback, scripts }: { noFallback: string | undefined; scripts: PlannedScripts | undefined },
  snapshot: () => Promise<void>,
): Promise<Agreed> {
  const asked = await freeze(host.virsh, uuid, scripts?.times.pre ?? 0);
  if (asked.problem !== undefined) {
    await thaw(host.virsh, uuid, { attempts: 1 }); // a first try, not in the way of the snapshot; settleThaw insists
    await failIfScriptsWantIt(host, uuid, scripts);
    if (noFallback !== undefined)
      throw new HoldfastError(
        asked.problem.code,
        `${asked.problem.message} A crash-consistent point is not possible instead: ${noFallback}.`,
        { target: uuid },
      );
    await snapshot();
    return crashConsistent(asked.problem);
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
    return crashConsistent(
      {
        code: 'ExtensionFailedTimeoutVMNetworkUnresponsive',
        message: `The freeze is not known to have held until the snapshot was taken (limit ${asked.limitSeconds} s).`,
      },
      frozenMs,
    );
  // Windows freezes through VSS, whose writers are the applications. On Linux the agent runs whatever freeze hooks it
  // was started with, and says neither whether it has any nor how they ended: but for what our own hook reports, only
  // the file systems are certain.
  const consistency: Consistency = asked.windows ? 'application' : 'file-system';
  return { consistency, consistencyReason: undefined, frozenMs };
}

/** Scripts may be configured to let no backup be taken when they fail. @throws the code of the script that failed */
async function failIfScriptsWantIt(
  host: HostContext,
  uuid: string,
  scripts: PlannedScripts | undefined,
): Promise<void> {
  const report = scripts && (await awaitReport(host.virsh, uuid, scripts));
  if (!report?.refused) return;
  const problem = problemOf(report);
  if (problem === undefined) return;
  throw new HoldfastError(
    problem.code,
    `${problem.message} The configuration of the scripts wants no backup then.`,
    { target: uuid },
  );
}

/** The promise of a point of a frozen guest, with what its scripts add to it. */
export function withScripts(agreed: Agreed, report: FreezeReport | undefined): Agreed {
  if (agreed.consistency !== 'file-system') return agreed;
  if (report === undefined)
    return {
      ...agreed,
      consistencyReason: `${scriptConfigPath} in the guest names scripts, and no freeze hook has run them.`,
      consistencyCode: 'UserErrorFreezeHookMissing',
    };
  if (areApplicationsReady(report)) return { ...agreed, consistency: 'application' };
  const problem = problemOf(report);
  return problem === undefined
    ? agreed
    : { ...agreed, consistencyReason: problem.message, consistencyCode: problem.code };
}
