import { expect, it } from 'vitest';
import { Gate, GatePerName } from './gate.ts';

const never = new AbortController().signal;

/** Which of several promises have resolved, once everything that can happen now has happened. */
async function insideNow(entering: readonly Promise<Disposable>[]): Promise<boolean[]> {
  const inside = entering.map(() => false);
  for (const [index, entry] of entering.entries()) {
    entry.then(
      () => {
        inside[index] = true;
      },
      () => {},
    );
  }
  await new Promise((resolve) => setImmediate(resolve));
  return inside;
}

it('lets in as many as it may, and the others in the order they came', async () => {
  const gate = new Gate(2);
  const entering = [1, 2, 3, 4].map(() => gate.enter(never));
  expect(await insideNow(entering)).toEqual([true, true, false, false]);
  (await entering[1])?.[Symbol.dispose]();
  expect(await insideNow(entering)).toEqual([true, true, true, false]);
});

it('gives one who gave up waiting no place, and the next one his', async () => {
  const gate = new Gate(1);
  const first = await gate.enter(never);
  const life = new AbortController();
  const second = gate.enter(life.signal);
  const third = gate.enter(never);
  life.abort(new Error('no longer'));
  await expect(second).rejects.toThrow('no longer');
  first[Symbol.dispose]();
  expect(await insideNow([third])).toEqual([true]);
});

it('never has a place too many when a signal is aborted during the hand-over', async () => {
  const gate = new Gate(1);
  const first = await gate.enter(never);
  const life = new AbortController();
  const second = gate.enter(life.signal);
  first[Symbol.dispose]();
  life.abort();
  await second.then(
    (place) => place[Symbol.dispose](),
    () => {},
  );
  expect(await insideNow([gate.enter(never), gate.enter(never)])).toEqual([true, false]);
});

it('keeps a gate for each name', async () => {
  const gates = new GatePerName(1);
  const entering = [gates.enter('a', never), gates.enter('b', never), gates.enter('a', never)];
  expect(await insideNow(entering)).toEqual([true, true, false]);
});
