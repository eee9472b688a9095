import { randomUUID } from 'node:crypto';
import type { RoleAssignmentRow } from '../catalog/index.ts';
import type { Grant } from './grants.ts';
import type { Role } from './roles.ts';
import { exactScope } from './scopes.ts';

/** A role to be given, at the resource id of a subscription, resource group or vault. */
export interface NewRole {
  role: Role;
  scope: string;
}

export function assignmentRow(
  principal: Pick<RoleAssignmentRow, 'principal_id' | 'principal_type'>,
  { role, scope }: NewRole,
  { by, now, id = randomUUID() }: { by: string; now: string; id?: string },
): RoleAssignmentRow {
  return { assignment_id: id, ...principal, role, scope, created_at: now, created_by: by };
}

/** What role assignments grant; one whose scope nobody understands grants nothing. */
export function grantsOfRows(rows: readonly Pick<RoleAssignmentRow, 'role' | 'scope'>[]): Grant[] {
  return rows.flatMap(({ role, scope }) => {
    const at = exactScope(scope);
    return at === undefined ? [] : [{ role, scope: at }];
  });
}
