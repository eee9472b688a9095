import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { VaultAddress } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { runJob } from '../../shell/notices.ts';
import type { Candidate } from './candidates.ts';

/** So many are asked for at a time; the service does the rest in jobs. */
const lanes = 4;

/** How far a VM has come: nothing of it waits for its turn. */
export interface Progress {
  jobId?: string;
  error?: unknown;
}

/** What has been set going: which VMs, in which vault. */
export interface Enabling {
  at: VaultAddress;
  machines: readonly Candidate[];
  progress: ReadonlyMap<string, Progress>;
}

/** Enables the backup of many VMs, each by a job of its own: one that is refused holds up no other. */
export function useEnabling() {
  const queries = useQueryClient();
  const [enabling, setEnabling] = useState<Enabling>();
  const note = (id: string, progress: Progress) =>
    setEnabling((before) => before && { ...before, progress: new Map(before.progress).set(id, progress) });

  async function enable(at: VaultAddress, policyId: string, machines: readonly Candidate[]) {
    setEnabling({ at, machines, progress: new Map() });
    const queue = machines.values();
    const work = async () => {
      for (const { id, name, group } of queue) {
        const properties = {
          protectedItemType: 'Microsoft.Compute/virtualMachines' as const,
          sourceResourceId: id,
          policyId,
        };
        try {
          const jobId = await runJob(`Enable backup of ${name}`, at, () =>
            client.items.put({ ...at, vm: name, vmResourceGroup: group }, { properties }),
          );
          note(id, { jobId });
        } catch (error) {
          note(id, { error });
        }
      }
    };
    await Promise.all(Array.from({ length: lanes }, work));
    await queries.invalidateQueries({ queryKey: keys.machines });
  }

  return { enabling, enable, forget: () => setEnabling(undefined) };
}
