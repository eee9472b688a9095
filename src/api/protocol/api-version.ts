import { HoldfastError } from '../../errors/index.ts';

/** The first version whose clients speak the present model of Recovery Services. */
const oldestOfBackup = '2016-06-01';

/** Of the neighbours: azure-cli looks for storage accounts in versions of 2015 and early 2016. */
const oldestOfAll = '2014-04-01';

/** What belongs to Azure Resource Manager, and so carries a version; the rest is ours. */
const versioned = /^\/(?:subscriptions|providers|tenants)(?:\/|$)/i;

/**
 * Checks the version that a request asks for. One answer serves all of them: clients ignore what they don't know.
 * @param path without the query
 * @throws MissingApiVersionParameter, InvalidApiVersionParameter
 */
export function checkApiVersion(path: string, version: string | undefined): void {
  if (!versioned.test(path)) return;
  if (version === undefined || version === '') {
    throw new HoldfastError(
      'MissingApiVersionParameter',
      'The api-version query parameter (?api-version=) is required for all requests.',
      { target: 'api-version' },
    );
  }
  const date = /^(\d{4}-\d{2}-\d{2})(?:-[A-Za-z0-9.-]{1,32})?$/.exec(version)?.[1];
  const oldest = /\/providers\/Microsoft\.RecoveryServices\//i.test(path) ? oldestOfBackup : oldestOfAll;
  if (date !== undefined && isDate(date) && date >= oldest) return;
  throw new HoldfastError(
    'InvalidApiVersionParameter',
    `The api-version '${version.slice(0, 64)}' is invalid: it is a date of ${oldest} or later.`,
    { target: 'api-version' },
  );
}

function isDate(text: string): boolean {
  try {
    return Temporal.PlainDate.from(text).toString() === text;
  } catch {
    return false;
  }
}
