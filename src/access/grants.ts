import { atLeast, type Role } from './roles.ts';
import { covers, exactScope, type Scope, scopeOfId } from './scopes.ts';

export interface Grant {
  role: Role;
  scope: Scope;
}

/** What one principal may do, asked by scope. */
export class Grants {
  readonly #grants: readonly Grant[];

  constructor(grants: readonly Grant[]) {
    this.#grants = grants;
  }

  /** The highest role that counts at a scope; undefined where none does. */
  roleAt(scope: Scope): Role | undefined {
    let best: Role | undefined;
    for (const grant of this.#grants)
      if (covers(grant.scope, scope) && (best === undefined || atLeast(grant.role, best))) best = grant.role;
    return best;
  }

  may(needed: Role, scope: Scope): boolean {
    return atLeast(this.roleAt(scope), needed);
  }

  /**
   * Whether a resource is there for this principal. A subscription or resource group is as soon as anything in it is:
   * otherwise nobody who has a role at one vault could find the way to it.
   */
  sees(resourceId: string): boolean {
    const scope = scopeOfId(resourceId);
    if (scope === undefined) return false;
    if (this.may('Reader', scope)) return true;
    const container = exactScope(resourceId);
    return container !== undefined && this.#grants.some((grant) => covers(container, grant.scope));
  }
}
