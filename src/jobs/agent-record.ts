import { type ItemRow, updateItem } from '../catalog/index.ts';
import type { AgentReport, FrozenPoint } from '../machines/index.ts';
import type { Workshop } from './workshop.ts';

/** What was last found out of the guest agent of an item's VM; undefined when nobody has looked yet. */
export function agentOf({ agent_json: json }: Pick<ItemRow, 'agent_json'>): AgentReport | undefined {
  return json === null ? undefined : (JSON.parse(json) as AgentReport);
}

/**
 * Asks the guest agent of an item's VM what it is and can do, and writes it down, as Azure does of its extension. Of a VM
 * that does not run, what is known stays.
 */
export async function recordAgent(
  workshop: Workshop,
  item: ItemRow,
  signal?: AbortSignal,
): Promise<AgentReport> {
  const host = await workshop.estate.host(item.host_name);
  const report = await host.reportAgent(item.vm_uuid, signal);
  const known = agentOf(item);
  if (report.status === 'not-running' && known !== undefined) return known;
  await updateItem(workshop.db, item.item_id, { agent_json: JSON.stringify(report) });
  return report;
}

/** Looks again where a point shows that what is written down is no longer so. A backup never fails of it. */
export async function refreshAgent(workshop: Workshop, item: ItemRow, frozen: FrozenPoint): Promise<void> {
  const wasAsked = frozen.consistency !== 'crash' || frozen.consistencyCode !== undefined;
  const couldAnswer = frozen.powerState === 'running';
  const works = frozen.consistency !== 'crash';
  const known = agentOf(item);
  if (!wasAsked || !couldAnswer || (known !== undefined && (known.status === 'ready') === works)) return;
  try {
    await recordAgent(workshop, item);
  } catch (error) {
    workshop.log.warn({ itemId: item.item_id, err: error }, "the guest's agent could not be looked at");
  }
}
