import { expect, it } from 'vitest';
import { resourceGroupNameProblem } from './names.ts';

it.each(['default', 'A', 'my-group_1.(x)', 'x'.repeat(90)])('takes %s as a resource group', (name) => {
  expect(resourceGroupNameProblem(name)).toBeUndefined();
});

it.each(['', 'ends.', 'x'.repeat(91), 'with space', 'a/b', 'größe'])(
  'refuses %s as a resource group, and says the rule',
  (name) => {
    expect(resourceGroupNameProblem(name)).toMatch(/ASCII letters/);
  },
);
