/**
 * The roles, each with the rights of those before it. They are Azure's: Backup Reader, Backup Operator, Backup
 * Contributor and Owner, with Azure's ids, so that a script that names a role by its id means the same one here.
 */
export const roles = ['Reader', 'Operator', 'Contributor', 'Owner'] as const;
export type Role = (typeof roles)[number];

export interface RoleDefinition {
  id: string;
  role: Role;
  displayName: string;
  description: string;
}

export const roleDefinitions: readonly RoleDefinition[] = [
  {
    id: 'a795c7a0-d4a2-4ae1-ae25-d81f01202912',
    role: 'Reader',
    displayName: 'Backup Reader',
    description: 'Sees everything and changes nothing.',
  },
  {
    id: '00c29273-979b-4161-815c-10b084fb9324',
    role: 'Operator',
    displayName: 'Backup Operator',
    description:
      'Enables protection, backs up, restores and cancels jobs; stops nothing and deletes nothing.',
  },
  {
    id: '5e467623-bb1f-42f4-a55d-6e525e11384b',
    role: 'Contributor',
    displayName: 'Backup Contributor',
    description: 'Manages backup, policies and vaults; does not delete vaults and grants nothing.',
  },
  {
    id: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
    role: 'Owner',
    displayName: 'Owner',
    description: 'May do everything, and says who else may.',
  },
];

/** A role by its name or the id of its definition, alone or as the end of a resource id; undefined for any other. */
export function roleOf(text: string): Role | undefined {
  const word = text.slice(text.lastIndexOf('/') + 1).toLowerCase();
  return roleDefinitions.find(({ id, role, displayName }) =>
    [id, role.toLowerCase(), displayName.toLowerCase()].includes(word),
  )?.role;
}

/** Whether a role has all the rights of another. */
export const atLeast = (held: Role | undefined, needed: Role): boolean =>
  held !== undefined && roles.indexOf(held) >= roles.indexOf(needed);
