import type { HostContext } from './host-context.ts';
import type { LedgerPoint, TakeIntent } from './ledger.ts';
import { identify, type MachineView } from './machine-view.ts';
import type { FrozenPoint } from './types.ts';

/**
 * Makes a point of an intent whose overlays are on top of their disks: identities of what is frozen now, the point's
 * file, and last, in one write, the ledger that has the point instead of the intent.
 */
export async function recordPoint(
  host: HostContext,
  view: MachineView,
  intent: TakeIntent,
  found: Pick<
    FrozenPoint,
    'consistency' | 'consistencyReason' | 'consistencyCode' | 'frozenMs' | 'definition' | 'excludedDisks'
  >,
): Promise<FrozenPoint> {
  const { uuid, name, state } = view.status;
  const takenAt = host.clock.now().toString();
  const disks: LedgerPoint['disks'] = [];
  for (const disk of intent.disks) {
    const frozen = await identify(disk.frozen);
    if (frozen === undefined) throw new Error(`${disk.frozen.path} vanished while it was being frozen`);
    disks.push({ ...disk, frozen });
  }
  const point: FrozenPoint = {
    pointId: intent.pointId,
    machineUuid: uuid,
    machineName: name,
    takenAt,
    powerState: state,
    ...found,
    disks: disks.map(({ target, sizeBytes, originalFormat }) => ({ target, sizeBytes, originalFormat })),
  };
  await host.ledgers.writePoint(point);
  await host.step('point written');
  await host.ledgers.update(uuid, (ledger) => ({
    ...ledger,
    points: [...ledger.points, { pointId: intent.pointId, takenAt, state: 'kept', disks }],
    intent: undefined,
  }));
  await host.step('taken');
  return point;
}
