import { expect, it } from 'vitest';
import {
  hostNameProblem,
  policyNameProblem,
  resourceGroupNameProblem,
  vaultNameProblem,
  zoneNameProblem,
} from './names.ts';

it.each([
  ['vault', vaultNameProblem, 2, 50, ['Main-1', 'aa'], ['1a', '-a', 'a_b', 'a b', 'aä']],
  ['policy', policyNameProblem, 3, 150, ['A_b-c!9'], ['1aa', '_aa', 'a.b', 'a b', 'aaä']],
  ['resource group', resourceGroupNameProblem, 1, 90, ['9'], ['a/b']],
  ['zone', zoneNameProblem, 1, 63, ['Z-1'], ['1', '-a', 'a_b']],
  ['host', hostNameProblem, 1, 63, ['9.a_b-c'], ['.a', '-a', '_a', 'a b']],
] as const)('holds the name of a %s to its length and its letters', (_, problem, least, most, good, bad) => {
  const sized = (length: number) => problem('x'.repeat(length)) === undefined;
  expect([least - 1, least, most, most + 1].map(sized)).toEqual([false, true, true, false]);
  for (const name of good) expect(problem(name)).toBeUndefined();
  for (const name of bad) expect(problem(name)).toContain(`'${name}' is no`);
});

it.each(['default', 'A', 'my-group_1.(x)', 'x'.repeat(90)])('takes %s as a resource group', (name) => {
  expect(resourceGroupNameProblem(name)).toBeUndefined();
});

it.each(['', 'ends.', 'x'.repeat(91), 'with space', 'a/b', 'größe'])(
  'refuses %s as a resource group, and says the rule',
  (name) => {
    expect(resourceGroupNameProblem(name)).toMatch(/ASCII letters/);
  },
);
