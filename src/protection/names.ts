/** Azure's rule for vault names: 2 to 50 characters, a letter first, then letters, digits and hyphens. */
const vaultName = /^[A-Za-z][A-Za-z0-9-]{1,49}$/;

/** A rule that a name breaks, as a sentence; undefined when it breaks none. */
export function vaultNameProblem(name: string): string | undefined {
  if (vaultName.test(name)) return undefined;
  return `'${name}' is no vault name: it takes 2 to 50 letters, digits and hyphens, the first a letter.`;
}

/**
 * Azure's rule for resource groups, ASCII only: 1 to 90 of letters, digits, `-_.()`, no period at the end. Names are
 * compared without case, and only for ASCII do SQLite, JavaScript and file systems agree on what that means.
 */
const resourceGroupName = /^[A-Za-z0-9\-_.()]{0,89}[A-Za-z0-9\-_()]$/;

/** A rule that a name breaks, as a sentence; undefined when it breaks none. */
export function resourceGroupNameProblem(name: string): string | undefined {
  if (resourceGroupName.test(name)) return undefined;
  return `'${name}' is no resource group name: it takes 1 to 90 ASCII letters, digits and -_.(), and no period at the end.`;
}

/** Azure's rule for policy names: 3 to 150 characters, a letter first, then letters, digits, `-`, `_` and `!`. */
const policyName = /^[A-Za-z][A-Za-z0-9_!-]{2,149}$/;

/** A rule that a name breaks, as a sentence; undefined when it breaks none. */
export function policyNameProblem(name: string): string | undefined {
  if (policyName.test(name)) return undefined;
  return `'${name}' is no policy name: it takes 3 to 150 ASCII letters, digits, '-', '_' and '!', the first a letter.`;
}

/** Azure's rule for extended zones is not published; what it names them with fits this. */
const zoneName = /^[A-Za-z][A-Za-z0-9-]{0,62}$/;

/** A rule that a name breaks, as a sentence; undefined when it breaks none. */
export function zoneNameProblem(name: string): string | undefined {
  if (zoneName.test(name)) return undefined;
  return `'${name}' is no name of a zone: it takes 1 to 63 letters, digits and hyphens, the first a letter.`;
}

const hostName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A rule that a name breaks, as a sentence; undefined when it breaks none. */
export function hostNameProblem(name: string): string | undefined {
  if (hostName.test(name)) return undefined;
  return `'${name}' is no host name: it takes 1 to 63 letters, digits, '.', '_' and '-', the first a letter or digit.`;
}
