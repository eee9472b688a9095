import { expect, it } from 'vitest';
import { Gate } from './gate.ts';

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

it('lets in as many of each name as it may', async () => {
  const gate = new Gate({ of: () => 1 });
  const enter = (name: string) => gate.enter(never, { names: [name] });
  expect(await insideNow([enter('a'), enter('b'), enter('a')])).toEqual([true, true, false]);
});

it('does not hold up those who work elsewhere behind one whose host or store is busy', async () => {
  const gate = new Gate({ overall: 3, of: (name) => (name.startsWith('host') ? 2 : 1) });
  const enter = (...names: string[]) => gate.enter(never, { names });
  const entering = [enter('host a', 'store 1'), enter('host a', 'store 1'), enter('host b', 'store 2')];
  expect(await insideNow(entering)).toEqual([true, false, true]);
  const third = enter('host a', 'store 3');
  expect(await insideNow([third, enter('host c', 'store 4')])).toEqual([true, false]);
  (await entering[0])?.[Symbol.dispose]();
  // Its turn came before that of the one from host c.
  expect(await insideNow(entering.slice(1, 2))).toEqual([true]);
});

it('lets in what a person waits for before what is only due, each in order', async () => {
  const gate = new Gate(1);
  const first = await gate.enter(never);
  const order: string[] = [];
  const enter = async (name: string, ahead: boolean) => {
    using _place = await gate.enter(never, { ahead });
    order.push(name);
  };
  const all = [enter('due 1', false), enter('asked 1', true), enter('due 2', false), enter('asked 2', true)];
  await insideNow([]);
  first[Symbol.dispose]();
  await Promise.all(all);
  expect(order).toEqual(['asked 1', 'asked 2', 'due 1', 'due 2']);
});
