import { expect, test } from 'vitest';
import type { RecoveryPoint } from '../../api/client/index.ts';
import { point } from '../testing/samples.ts';
import { world } from '../testing/scripted-service.ts';

type KeptUntil = RecoveryPoint['properties']['holdfast']['keptUntil'];

function ending(name: string, keptUntil: KeptUntil, removalTime?: string): RecoveryPoint {
  const plain = point(name, '2026-11-20T05:00:00Z', ['HardenedRP']);
  const holdfast = { ...plain.properties.holdfast, keptUntil, ...(removalTime && { removalTime }) };
  return { ...plain, properties: { ...plain.properties, holdfast } };
}

test('recovery points tell what ends them', async () => {
  const { run } = await world({
    'GET ITEM/recoveryPoints': {
      value: [
        ending('7', 'expiry'),
        ending('6', 'removal', '2026-12-04T05:00:00Z'),
        ending('5', 'purge', '2026-12-05T05:00:00Z'),
        ending('4', 'deletion'),
      ],
    },
  });
  const { out } = await run('recovery-point list --vault v1 --vm web-1');
  expect(out.split('\n').map((line) => line.split('KiB')[1]?.trim() ?? '')).toEqual([
    '',
    '2026-12-21 05:00 UTC',
    'soft-deleted, removed 2026-12-04 05:00 UTC',
    'purged 2026-12-05 05:00 UTC',
    'kept until deleted',
    '',
  ]);
});
