import { expect, it } from 'vitest';
import { Grants } from './grants.ts';
import { roleDefinitions, roleOf } from './roles.ts';
import { exactScope, scopeOfId } from './scopes.ts';

const subscription = '/subscriptions/s';
const group = `${subscription}/resourceGroups/G`;
const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/V`;

it('finds the scope of an id, whatever is in it and however it is written', () => {
  const inVault = { group: 'g', vault: 'v' };
  for (const id of [
    vault,
    vault.toUpperCase(),
    `${vault}/backupPolicies/x`,
    `${group}/providers/holdfast.fleet/stores/V`,
  ])
    expect(scopeOfId(id), id).toEqual(inVault);
  expect(scopeOfId(`${group}/providers/Microsoft.Compute/virtualMachines/vaults`)).toEqual({ group: 'g' });
  expect(scopeOfId(`${subscription}/providers/Holdfast.Fleet/hosts`)).toEqual({});
  for (const text of ['', '/', 'x', `x${subscription}`, '/subscriptions', '/providers/x'])
    expect(scopeOfId(text), text).toBeUndefined();
  expect(exactScope(`${vault}/`)).toEqual(inVault);
  for (const id of [`${vault}/backupPolicies/x`, `${group}/providers/Microsoft.Compute/virtualMachines/a`])
    expect(exactScope(id), id).toBeUndefined();
});

it('counts the highest role of the scopes around, and none of elsewhere', () => {
  const grants = new Grants([
    { role: 'Reader', scope: { group: 'g' } },
    { role: 'Contributor', scope: { group: 'g', vault: 'v' } },
    { role: 'Operator', scope: { group: 'g', vault: 'v' } },
  ]);
  expect(grants.roleAt({ group: 'g', vault: 'v' })).toBe('Contributor');
  expect(grants.roleAt({ group: 'g', vault: 'w' })).toBe('Reader');
  expect(grants.roleAt({ group: 'h', vault: 'v' })).toBeUndefined();
  expect(grants.roleAt({})).toBeUndefined();
  expect([
    grants.may('Contributor', { group: 'g', vault: 'v' }),
    grants.may('Owner', { group: 'g', vault: 'v' }),
  ]).toEqual([true, false]);
});

it('shows the way to what may be seen: the subscription and the group around it, and nothing beside it', () => {
  const grants = new Grants([{ role: 'Reader', scope: { group: 'g', vault: 'v' } }]);
  for (const id of [subscription, group, vault, `${vault}/backupPolicies/x`])
    expect(grants.sees(id), id).toBe(true);
  for (const id of [
    `${group}x`,
    `${vault}x`,
    `${group}/providers/Holdfast.Fleet/hosts/h`,
    `${subscription}/providers/Holdfast.Fleet/clients/c`,
    'nothing',
  ])
    expect(grants.sees(id), id).toBe(false);
  expect(new Grants([]).sees(subscription)).toBe(false);
});

it('knows roles by name and by the ids that Azure gave them', () => {
  for (const { id, role, displayName } of roleDefinitions)
    for (const text of [
      id,
      role,
      displayName.toUpperCase(),
      `/providers/Microsoft.Authorization/roleDefinitions/${id}`,
    ])
      expect(roleOf(text), text).toBe(role);
  for (const text of ['', 'King', 'Readers']) expect(roleOf(text), text).toBeUndefined();
});
