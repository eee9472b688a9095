import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterMerge, isOverlayName, isPointId, overlayName, planMerges, planRead } from './chain-plan.ts';
import type { ImageLayer } from './images/index.ts';
import { emptyLedger, type ImageIdentity, type Ledger } from './ledger.ts';

const uuid = '1a2b3c4d-2222-3333-4444-555555555555';
const image = (path: string): ImageIdentity => ({
  path,
  format: path === 'base' ? 'raw' : 'qcow2',
  kind: 'file',
  device: '1',
  inode: '1',
  sizeBytes: '1',
  modifiedNs: '1',
});

/** Points `one`, `two`, … each with overlay `o1`, `o2`, … on disk vda, over a raw base. */
function ledgerOf(states: readonly ('kept' | 'given-up')[]): { ledger: Ledger; chain: ImageLayer[] } {
  const points = states.map((state, index) => ({
    pointId: `p${index + 1}`,
    takenAt: '2026-01-01T00:00:00Z',
    state,
    disks: [
      {
        target: 'vda',
        sizeBytes: 1,
        originalFormat: 'raw' as const,
        frozen: image(index === 0 ? 'base' : `o${index}`),
        overlay: `o${index + 1}`,
      },
    ],
  }));
  const chain: ImageLayer[] = states.map((_, index) => ({
    path: `o${states.length - index}`,
    format: 'qcow2',
  }));
  chain.push({ path: 'base', format: 'raw' });
  return { ledger: { ...emptyLedger(uuid, 'vm'), points }, chain };
}

const unchanged = () => false;
const paths = (layers: readonly ImageLayer[]) => layers.map(({ path }) => path);

describe('reading a point', () => {
  const { ledger, chain } = ledgerOf(['kept', 'kept', 'kept']);
  const read = (
    pointId: string,
    since?: string,
    over = chain,
    changed: (i: ImageIdentity) => boolean = unchanged,
  ) => planRead({ ledger, target: 'vda', pointId, since }, over, changed);

  it('takes the layers from its frozen image down, or those since the earlier point', () => {
    expect(read('p3')).toMatchObject({ readable: true, basis: { kind: 'full' } });
    const plan = read('p3', 'p1');
    expect(plan).toMatchObject({ readable: true, basis: { kind: 'delta', since: 'p1' } });
    if (plan.readable) expect(paths(plan.layers)).toEqual(['o2', 'o1']);
  });

  it('counts layers that somebody put in between', () => {
    const stranger = [...chain.slice(0, 2), { path: 'theirs', format: 'qcow2' as const }, ...chain.slice(2)];
    const plan = read('p3', 'p1', stranger);
    if (plan.readable) expect(paths(plan.layers)).toEqual(['o2', 'theirs', 'o1']);
  });

  it('is full, with a reason, when the earlier point is not known or not earlier', () => {
    for (const since of ['p0', 'p2', 'p3']) {
      const plan = read('p2', since);
      expect(plan).toMatchObject({
        readable: true,
        basis: { kind: 'full', reason: expect.stringContaining(since) },
      });
    }
  });

  it('is refused when the chain lost the image, or somebody wrote to it or to one below', () => {
    expect(read('p3', undefined, [{ path: 'other', format: 'qcow2' }])).toMatchObject({ readable: false });
    expect(read('p3', undefined, chain, ({ path }) => path === 'base')).toMatchObject({
      readable: false,
      reason: expect.stringContaining('base'),
    });
    expect(read('p1', undefined, chain, ({ path }) => path === 'o2')).toMatchObject({ readable: true });
  });

  it('goes on while a lower layer is merged, and refuses the point that is given up by it', () => {
    const merging = ledgerOf(['given-up', 'kept', 'kept']);
    const [first] = merging.ledger.points;
    if (first?.disks[0]) first.disks[0].merging = { intact: true, above: 'o2' };
    const plan = (pointId: string) =>
      planRead(
        { ledger: merging.ledger, target: 'vda', pointId, since: 'p1' },
        merging.chain,
        ({ path }) => path !== 'o1',
      );
    expect(plan('p3')).toMatchObject({ readable: true, basis: { kind: 'full' } });
    expect(plan('p1')).toMatchObject({ readable: false });
  });
});

describe('giving up points', () => {
  const plan = (ledger: Ledger, chain: ImageLayer[]) => planMerges(ledger, new Map([['vda', chain]]));

  it('merges from the bottom only, and never the active image', () => {
    const lowest = ledgerOf(['given-up', 'given-up', 'kept']);
    expect(plan(lowest.ledger, lowest.chain)).toMatchObject([
      { kind: 'merge', pointId: 'p1', above: { path: 'o2' } },
      { kind: 'wait', pointId: 'p2' },
    ]);
    const middle = ledgerOf(['kept', 'given-up', 'kept']);
    expect(plan(middle.ledger, middle.chain)).toMatchObject([
      { kind: 'wait', reason: expect.stringContaining('p1') },
    ]);
    const newest = ledgerOf(['given-up']);
    expect(plan(newest.ledger, newest.chain)).toMatchObject([{ kind: 'active' }]);
  });

  it('tells a finished merge from a layer that somebody took away', () => {
    const { ledger, chain } = ledgerOf(['given-up', 'kept']);
    const without = chain.filter(({ path }) => path !== 'o1');
    expect(plan(ledger, without)).toMatchObject([{ kind: 'lost' }]);
    const [first] = ledger.points;
    if (first?.disks[0]) first.disks[0].merging = { intact: true };
    expect(plan(ledger, without)).toMatchObject([{ kind: 'done', above: { path: 'o2' } }]);
    expect(planMerges(ledger, new Map())).toMatchObject([{ kind: 'lost' }]);
  });

  it('waits when a foreign image is right below the layer', () => {
    const { ledger, chain } = ledgerOf(['given-up', 'kept']);
    const foreign = [...chain.slice(0, -1), { path: 'theirs', format: 'qcow2' as const }, ...chain.slice(-1)];
    expect(plan(ledger, foreign)).toMatchObject([{ kind: 'wait' }]);
  });

  it('ends with the kept points on a shorter chain, whatever is given up', () => {
    const states = fc.array(fc.constantFrom('kept' as const, 'given-up' as const), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(states, (given) => {
        let { ledger, chain } = ledgerOf(given);
        for (let rounds = 0; ; rounds++) {
          expect(rounds).toBeLessThan(20);
          const step = plan(ledger, chain).find(({ kind }) => kind === 'merge');
          if (step === undefined) break;
          const merged = image(step.disk.frozen.path);
          chain = chain.filter(({ path }) => path !== step.disk.overlay);
          ledger = afterMerge(ledger, step, { merged }, true);
        }
        const kept = given.flatMap((state, index) => (state === 'kept' ? [`p${index + 1}`] : []));
        const left = ledger.points.map((point) => point.pointId);
        for (const pointId of kept) {
          expect(left).toContain(pointId);
          const read = planRead({ ledger, target: 'vda', pointId, since: undefined }, chain, unchanged);
          expect(read.readable).toBe(true);
        }
        // everything below the lowest kept point is gone, but for the newest
        const lowest = given.indexOf('kept');
        expect(left.length).toBe(lowest < 0 ? 1 : given.length - lowest);
        expect(ledger.leftovers.length).toBe(given.length - left.length);
      }),
    );
  });
});

describe('names', () => {
  it('of overlays are known again, and no others', () => {
    expect(overlayName('vda', uuid, 'rp-1')).toBe('vda.holdfast-1a2b3c4d.rp-1.qcow2');
    expect(isOverlayName(overlayName('sdaa', uuid, 'rp-1'))).toBe(true);
    for (const other of [
      'vda.qcow2',
      'vda.snap1.qcow2',
      'vda.holdfast-1a2b3c4d.qcow2',
      'x/vda.holdfast-1a2b3c4d.a.qcow2',
    ])
      expect(isOverlayName(other)).toBe(false);
  });

  it('of points can not lead anywhere', () => {
    expect(isPointId('2026-01-01T00-00')).toBe(true);
    for (const bad of ['', '../x', 'a/b', '-a', 'a.b', 'a b', 'x'.repeat(101)])
      expect(isPointId(bad)).toBe(false);
  });
});
