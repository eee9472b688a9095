import type { Accepted, VaultAddress } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { problemOf } from '../../parts/problem.tsx';
import { addNotice, updateNotice } from '../../shell/notices.ts';

/** Items that one notice tells of by name. */
const mostNamed = 5;

/** Saves a policy that was made from the one of `eTag`; that it comes to the items under it is told of by a notice. */
export async function savePolicy(
  at: VaultAddress,
  name: string,
  properties: unknown,
  eTag: string | undefined,
): Promise<void> {
  const answer = await client.policies.put(at, name, { properties, eTag });
  const title = `Modify policy ${name}`;
  if ('statusPath' in answer) void tellOfEdit(title, at, answer);
  else addNotice({ title, state: 'done', detail: 'Saved.' });
}

/** Notes that the edit runs, and at its end which items could not follow and why. */
async function tellOfEdit(title: string, at: VaultAddress, accepted: Accepted): Promise<void> {
  const id = addNotice({ title, state: 'running' });
  try {
    const { properties } = await client.operations.wait(accepted);
    const failed = Object.keys(properties?.failedJobsError ?? {});
    if (failed.length === 0) return updateNotice(id, { state: 'done', detail: 'All items follow it.' });
    const named = await Promise.all(failed.slice(0, mostNamed).map((job) => whyFailed(at, job)));
    const more = failed.length > mostNamed ? ` And ${failed.length - mostNamed} more.` : '';
    updateNotice(id, { state: 'warning', detail: `Could not follow: ${named.join(' ')}${more}` });
  } catch (error) {
    const { message, action } = problemOf(error);
    updateNotice(id, { state: 'failed', detail: [message, action].join(' ') });
  }
}

async function whyFailed(at: VaultAddress, jobId: string): Promise<string> {
  const { properties } = await client.jobs.get(at, jobId);
  const [error] = properties.errorDetails ?? [];
  return `${properties.entityFriendlyName}: ${error?.errorString ?? properties.status}`;
}
