import {
  forgetLeftLayers,
  type ItemRow,
  listItemsOfVm,
  listLeftLayers,
  listOpenJobs,
  listSnapshots,
  noteLeftLayers,
} from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import { catalogTime } from './clock.ts';
import { jobErrorOf, type Operation } from './engine.ts';
import type { JobContext } from './job-context.ts';
import type { Workshop } from './workshop.ts';

export const removeLeftLayers = 'Remove layers from host';

interface LeftLayersPayload {
  hostName: string;
  vmUuid: string;
}

/**
 * Has layers removed by `work`. Where the host of the VM is away that is noted, shown with the job, and done once the host
 * is back, whatever has become of the item by then: a host that is gone for good holds up nobody who wants to be rid of
 * its VMs.
 * @returns whether they are removed
 */
export async function removeOrLeave(
  { clock }: Workshop,
  context: JobContext<unknown>,
  item: ItemRow,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (context.signal.aborted || !isHoldfastError(error, 'HostUnreachable')) throw error;
    const row = {
      host_name: item.host_name,
      vm_uuid: item.vm_uuid,
      vm_name: item.vm_name,
      vault_id: item.vault_id,
      since: catalogTime(clock.now()),
    };
    await context.write((tx) => noteLeftLayers(tx, row));
    await context.setError({
      ...jobErrorOf(error),
      message: `What '${item.vm_name}' has on host '${item.host_name}' is still there: ${error.message}`,
      action:
        'Nothing has to be done: it is removed when the host answers again, or forgotten with the host.',
    });
    return false;
  }
}

/** Starts a job for every VM that has layers left on a host which answers again. Never rejects for a single host. */
export async function startLeftLayerRemovals(workshop: Workshop): Promise<void> {
  const left = await listLeftLayers(workshop.db);
  if (left.length === 0) return;
  const open = await listOpenJobs(workshop.db);
  for (const { host_name: hostName, vm_uuid: vmUuid, vault_id: vaultId, vm_name: name, since } of left) {
    const isUnderWay = open.some((job) => {
      const { payload_json: payload, operation } = job;
      return operation === 'RemoveLayers' && (JSON.parse(payload) as LeftLayersPayload).vmUuid === vmUuid;
    });
    if (isUnderWay) continue;
    try {
      await (await workshop.estate.host(hostName)).facts(workshop.signal);
      await workshop.engine.start<LeftLayersPayload>('RemoveLayers', {
        vaultId,
        itemId: undefined,
        entityName: name,
        userTriggered: false,
        payload: { hostName, vmUuid },
        taskIds: [removeLeftLayers],
        properties: { Host: hostName, 'Left since': since },
      });
    } catch (error) {
      workshop.log.info({ host: hostName, vmUuid }, `layers stay on their host: ${messageOf(error)}`);
    }
  }
}

/** Done again, it finds what is left; a VM that is gone has nothing. */
export function removeLayersOperation(workshop: Workshop): Operation<LeftLayersPayload> {
  const run: Operation<LeftLayersPayload>['run'] = async (context) => {
    const { hostName, vmUuid } = context.payload;
    await context.runTask(removeLeftLayers, async (task) => {
      const { db } = workshop;
      await using held = new AsyncDisposableStack();
      for (const item of await listItemsOfVm(db, hostName, vmUuid)) {
        const phase = await workshop.phases.tryEnter('snapshot', item.item_id);
        // What is protected is maintained: its maintenance merges what no recovery point needs.
        if (phase === undefined || item.policy_name !== null)
          return task.say('The VM is protected again: the layers go with those of its points.');
        held.use(phase);
      }
      if ((await listSnapshots(db, hostName, vmUuid)).length > 0)
        return task.say('The VM has snapshots that are kept: the layers go with them.');
      const host = await workshop.estate.host(hostName);
      using _place = await workshop.merges.enter(context.signal, { names: [hostName] });
      try {
        const points = await host.listPoints(vmUuid);
        await host.releaseMachine(vmUuid, context.signal);
        await task.say(`${points.length} layers removed; no recovery point needs them`);
      } catch (error) {
        if (!isHoldfastError(error, 'UserErrorVmNotFoundV2')) throw error;
        await task.say('The VM is gone, and its layers with it.');
      }
    });
    await context.write((tx) => forgetLeftLayers(tx, hostName, vmUuid));
    return 'Completed';
  };
  return { run, resume: run };
}
