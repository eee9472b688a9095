import { Field, Select } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { groupOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';

export const roles = ['Reader', 'Operator', 'Contributor', 'Owner'] as const;
export type Role = (typeof roles)[number];

const rights: Record<Role, string> = {
  Reader: 'Sees everything and changes nothing.',
  Operator: 'Enables protection, backs up, restores and cancels jobs.',
  Contributor: 'Manages backup, policies and vaults as well; stops and deletes.',
  Owner: 'May do everything, and says who else may.',
};

/** A role, and where it counts. */
export interface RoleGrant {
  role: Role;
  /** Resource id. Absent: the subscription. */
  scope?: string | undefined;
}

/** `Everywhere`, `Resource group default`, `Vault Main`. */
export function scopeWords(id: string): string {
  const vault = /\/vaults\/([^/]+)$/i.exec(id)?.[1];
  if (vault !== undefined) return `Vault ${vault}`;
  const group = groupOf(id);
  return group === '' ? 'Everywhere' : `Resource group ${group}`;
}

/** Chooses a role, and the subscription, a resource group or a vault for it. */
export function RoleFields({ value, onChange }: { value: RoleGrant; onChange(value: RoleGrant): void }) {
  const vaults = useQuery({ queryKey: keys.vaults, queryFn: () => client.vaults.list() });
  const ids = (vaults.data ?? []).map((vault) => vault.id);
  const groups = [...new Set(ids.map((id) => id.replace(/\/providers\/.*$/, '')))].sort();
  return (
    <>
      <Field label="Role" required hint={rights[value.role]}>
        <Select
          value={value.role}
          onChange={(_event, { value: text }) =>
            onChange({ ...value, role: roles.find((role) => role === text) ?? 'Reader' })
          }
        >
          {roles.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </Select>
      </Field>
      <Field label="Scope">
        <Select
          value={value.scope ?? ''}
          onChange={(_event, { value: scope }) => onChange({ ...value, scope: scope || undefined })}
        >
          <option value="">Everywhere</option>
          {[...groups, ...ids].map((id) => (
            <option key={id} value={id}>
              {scopeWords(id)}
            </option>
          ))}
        </Select>
      </Field>
    </>
  );
}
