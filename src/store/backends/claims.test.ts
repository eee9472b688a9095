import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { randomFrom, Scheduler } from '../testing/scheduler.ts';
import { claimLeases } from './claims.ts';
import type { HeldLease, HolderSeen, ObjectClient } from './object-client.ts';

type Objects = Pick<ObjectClient, 'put' | 'get' | 'listPage' | 'delete'>;
const signal = new AbortController().signal;
const ttlMs = 1000;

/** Objects in memory; `turn` is awaited before and after every request takes effect. */
function objectsIn(
  bodies: Map<string, Buffer>,
  options: { conditional: boolean; turn?: () => Promise<void> },
): Objects {
  const { conditional, turn = async () => {} } = options;
  const around = async <T>(action: () => T): Promise<T> => {
    await turn();
    const result = action();
    await turn();
    return result;
  };
  return {
    put: (key, body, { ifAbsent }) =>
      around(() => {
        if (ifAbsent && conditional && bodies.has(key)) return false;
        bodies.set(key, Buffer.from(body));
        return true;
      }),
    get: (key) => around(() => bodies.get(key)),
    listPage: (prefix) =>
      around(() => ({
        next: undefined,
        objects: [...bodies]
          .filter(([key]) => key.startsWith(prefix))
          .map(([key, body]) => ({
            key,
            sizeBytes: body.length,
            mark: createHash('md5').update(body).digest('hex'),
          })),
      })),
    delete: (key) => around(() => void bodies.delete(key)),
  };
}

const leasesOf = (objects: Objects, conditional: boolean) =>
  claimLeases(objects, 'p/lock/', { ttlMs, conditional: async () => conditional });

describe.each([
  ['with conditional puts', true],
  ['without', false],
])('claims, %s', (_, conditional) => {
  test('go to one, stay with it while it renews, and to the next when it is given back', async () => {
    const bodies = new Map<string, Buffer>();
    const service = () => leasesOf(objectsIn(bodies, { conditional }), conditional);
    const first = await service().take(undefined, signal);
    expect(first).toBeDefined();
    const seen = await service().look(signal);
    expect(seen).toMatchObject({ ttlMs });
    expect(await service().take(undefined, signal)).toBeUndefined();
    expect(await first?.renew(signal)).toBe(true);
    expect((await service().look(signal))?.mark).not.toBe(seen?.mark);
    // Judged by what was seen before the renewal: it is not silent.
    expect(await service().take(seen, signal)).toBeUndefined();
    await first?.release(signal);
    expect(await service().look(signal)).toBeUndefined();
    expect(await service().take(undefined, signal)).toBeDefined();
  });

  test('of a silent holder pass to the next, and the old one finds out', async () => {
    const bodies = new Map<string, Buffer>();
    const service = () => leasesOf(objectsIn(bodies, { conditional }), conditional);
    const dead = await service().take(undefined, signal);
    const seen = await service().look(signal);
    const next = await service().take(seen, signal);
    expect(next).toBeDefined();
    expect(await dead?.renew(signal)).toBe(false);
    expect(await next?.renew(signal)).toBe(true);
  });

  test('are taken once although the answer to the claim got lost', async () => {
    const bodies = new Map<string, Buffer>();
    const objects = objectsIn(bodies, { conditional });
    let failures = 1;
    const service = leasesOf(
      {
        ...objects,
        async put(...request) {
          const result = await objects.put(...request);
          if (failures-- > 0) throw new Error('the answer got lost');
          return result;
        },
      },
      conditional,
    );
    await expect(service.take(undefined, signal)).rejects.toThrow('got lost');
    expect(await service.take(undefined, signal)).toBeDefined();
  });

  test('of one who judged a holder dead and then slept through two others do not count', async () => {
    const bodies = new Map<string, Buffer>();
    const service = (objects = objectsIn(bodies, { conditional })) => leasesOf(objects, conditional);
    await service().take(undefined, signal);
    const seen = await service().look(signal);
    let second: HeldLease | undefined;
    const objects = objectsIn(bodies, { conditional });
    const sleeper = service({
      ...objects,
      async put(...request) {
        // Between its look and its claim: one takes over, gives back, and another follows.
        if (second === undefined) {
          const between = await service().take(seen, signal);
          await between?.release(signal);
          second = await service().take(undefined, signal);
        }
        return await objects.put(...request);
      },
    });
    expect(await sleeper.take(seen, signal)).toBeUndefined();
    expect(await second?.renew(signal)).toBe(true);
  });

  test('of many at once never go to two, in whatever order their requests arrive', async () => {
    let taken = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const bodies = new Map<string, Buffer>();
      const scheduler = new Scheduler(seed);
      const random = randomFrom(seed);
      // Half of the time there is a dead holder, which all of them have seen to be silent.
      let dead: HolderSeen | undefined;
      if (random(2) === 0) {
        await leasesOf(objectsIn(bodies, { conditional }), conditional).take(undefined, signal);
        dead = await leasesOf(objectsIn(bodies, { conditional }), conditional).look(signal);
      }
      let holders = 0;
      const contend = async () => {
        const objects = objectsIn(bodies, { conditional, turn: () => scheduler.turn() });
        const held = await leasesOf(objects, conditional).take(dead, signal);
        if (held === undefined) return;
        holders++;
        taken++;
        expect(holders, `seed ${seed}`).toBe(1);
        for (let renewals = 0; renewals < 3; renewals++) expect(await held.renew(signal)).toBe(true);
        expect(holders, `seed ${seed}`).toBe(1);
        holders--;
        await held.release(signal);
      };
      await scheduler.run([contend, contend, contend], async () => {});
    }
    expect(taken).toBeGreaterThan(50);
  });
});
