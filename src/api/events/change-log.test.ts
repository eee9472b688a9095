import { expect, it } from 'vitest';
import { ChangeLog } from './change-log.ts';

it('tells what came after a change, in order, with the ids to go on from', () => {
  const log = new ChangeLog<string>();
  const start = log.position;
  const ids = ['a', 'b', 'c'].map((change) => log.add(change));
  expect(log.since(start)?.map(({ change }) => change)).toEqual(['a', 'b', 'c']);
  expect(log.since(ids[0] ?? '')).toEqual([
    { id: ids[1], change: 'b' },
    { id: ids[2], change: 'c' },
  ]);
  expect(log.since(log.position)).toEqual([]);
});

it('does not know what is too long ago, still to come, of another run, or no id at all', () => {
  const log = new ChangeLog<number>();
  const start = log.position;
  for (let n = 0; n < 1000; n += 1) log.add(n);
  expect(log.since(start)?.length).toBe(1000);
  log.add(1000);
  expect(log.since(start)).toBeUndefined();
  const [era] = log.position.split('-');
  for (const id of [`${era}-2000`, `${era}--1`, `${era}-x`, new ChangeLog().position, '', '-', '1-1'])
    expect(log.since(id), id).toBeUndefined();
});
