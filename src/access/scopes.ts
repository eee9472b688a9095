/** Where a role counts, or a request acts: the subscription, a resource group of it, or a vault of that. Lower case. */
export interface Scope {
  group?: string;
  vault?: string;
}

const idPattern =
  /^\/subscriptions\/[^/]+(?:\/resourceGroups\/(?<group>[^/]+)(?:\/providers\/(?:Microsoft\.RecoveryServices\/vaults|Holdfast\.Fleet\/stores)\/(?<vault>[^/]+))?)?(?<rest>\/.*)?$/i;

/** The narrowest scope that a resource is in, by its id; undefined for what is no resource id. */
export function scopeOfId(id: string): Scope | undefined {
  const groups = idPattern.exec(id)?.groups;
  if (groups === undefined) return undefined;
  const { group, vault } = groups;
  return {
    ...(group === undefined ? {} : { group: group.toLowerCase() }),
    ...(vault === undefined ? {} : { vault: vault.toLowerCase() }),
  };
}

/** The scope that an id is the very name of, as a role assignment needs it; undefined for what is inside one. */
export function exactScope(id: string): Scope | undefined {
  const trimmed = id.replace(/\/$/, '');
  return idPattern.exec(trimmed)?.groups?.rest === undefined ? scopeOfId(trimmed) : undefined;
}

/** Whether what counts at `outer` counts at `inner`. */
export function covers(outer: Scope, inner: Scope): boolean {
  return (
    (outer.group === undefined || outer.group === inner.group) &&
    (outer.vault === undefined || outer.vault === inner.vault)
  );
}
