import { describe, expect, test } from 'vitest';
import type { PackAction } from '../index.ts';
import { type PackFacts, planPack } from './plan.ts';

describe('the plan for one pack', () => {
  const now = Temporal.Instant.from('2026-11-21T06:00:00Z');
  const rules = { generation: 5, now, minimumAgeMs: 3_600_000, wasteThreshold: 0.25 };
  const facts = {
    pack: 'ab',
    sizeBytes: 1080,
    neededBytes: 0,
    neededByPoints: false,
    isSpare: false,
    isDamaged: false,
    isBeingWritten: false,
  };
  const condemned = { generation: 4, at: '2026-11-21T05:00:00Z', olderWriter: false };
  const cases: [PackAction, string, Partial<PackFacts>][] = [
    ['keep', 'it is needed', { neededBytes: 750 }],
    ['repack', '26 % of it is waste', { neededBytes: 740 }],
    ['repack', '100 % of it is waste', { isSpare: true }],
    ['repack', 'part of it is damaged', { neededBytes: 900, isDamaged: true }],
    ['condemn', 'nothing needs it', {}],
    ['condemn', 'nothing needs it', { isDamaged: true }],
    ['keep', 'a writer has just written it', { isBeingWritten: true }],
    ['keep', 'what is in it is unknown: torn', { unreadable: 'torn' }],
    ['keep', 'what is in it is unknown: torn', { unreadable: 'torn', condemned }],
    ['remove', 'nothing has needed it since generation 4', { condemned }],
    ['pardon', 'a point needs it again', { condemned, neededBytes: 1, neededByPoints: true }],
    ['wait', 'it is being read', { condemned, neededBytes: 1 }],
    ['wait', 'a writer is open', { condemned: { ...condemned, olderWriter: true } }],
    ['wait', 'in this generation', { condemned: { ...condemned, generation: 5 } }],
    ['wait', 'not long enough ago', { condemned: { ...condemned, at: '2026-11-21T05:00:01Z' } }],
    ['wait', 'not long enough ago', { condemned: { ...condemned, at: '2027-11-21T05:00:00Z' } }],
  ];
  test.each(cases)('is %s: %s', (action, reason, more) => {
    const planned = planPack({ ...facts, ...more }, rules);
    expect(planned.action).toBe(action);
    expect(planned.reason).toContain(reason);
  });
});
