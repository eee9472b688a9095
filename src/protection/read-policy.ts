import { HoldfastError } from '../errors/index.ts';
import { policyNameProblem } from './names.ts';
import type { BackupPolicy, PolicyType, RetentionRules, Schedule } from './policy.ts';
import { instantDaysOf } from './policy-limits.ts';
import { readRetention } from './read-retention.ts';
import { readSchedule } from './read-schedule.ts';
import { type Field, fieldsOf, integerOf, isAbsent, type Problem, quote, refuse, wordOf } from './reading.ts';
import { findTimeZone } from './time-zones.ts';

/** What `properties` may hold. The last four say nothing to us, and are taken from clients that send back what they got. */
const keys = [
  'backupManagementType',
  'policyType',
  'schedulePolicy',
  'retentionPolicy',
  'instantRpRetentionRangeInDays',
  'timeZone',
  'tieringPolicy',
  'snapshotConsistencyType',
  'instantRPDetails',
  'instantRpDetails', // as azure-cli spells it
  'resourceGuardOperationRequests',
  'protectedItemsCount',
] as const;

/**
 * Reads a policy from the `properties` that Azure's API has for it, and checks it against every limit.
 * @returns the policy, or everything that is wrong with it
 */
export function readPolicy(
  name: string,
  properties: unknown,
): { policy: BackupPolicy } | { problems: [Problem, ...Problem[]] } {
  const problems: Problem[] = [];
  if (policyNameProblem(name) !== undefined)
    refuse(
      { path: 'name', value: name, problems },
      `${quote(name)} is no policy name`,
      '3 to 150 letters, digits, -, _ and !, the first a letter',
      "It is part of the policy's address.",
    );
  const policy = readProperties(name, { path: 'properties', value: properties, problems });
  const [first, ...more] = problems;
  if (first !== undefined) return { problems: [first, ...more] };
  if (policy === undefined) throw new Error('a policy that could not be read has no problem');
  return { policy };
}

/** Problems that one message spells out; nobody reads more, and a document may hold thousands. */
const mostSpeltOut = 30;

/** The refusal of a policy, naming everything that is wrong with it. */
export function invalidPolicy(name: string, problems: readonly [Problem, ...Problem[]]): HoldfastError {
  const details = problems.slice(0, mostSpeltOut).map(({ path, problem, allowed, why }) => ({
    target: path,
    message: `${problem}. Allowed: ${allowed}. ${why}`,
  }));
  const lines = details.map(({ target, message }) => `${target}: ${message}`);
  if (problems.length > mostSpeltOut) lines.push(`And ${problems.length - mostSpeltOut} more.`);
  return new HoldfastError(
    'BMSUserErrorInvalidPolicyInput',
    `Policy '${name.slice(0, 150)}' can't be saved. ${lines.join(' ')}`,
    { target: problems[0].path, details },
  );
}

function readProperties(name: string, field: Field): BackupPolicy | undefined {
  const at = fieldsOf(field, keys);
  if (at === undefined) return undefined;
  wordOf(at.backupManagementType, ['AzureIaasVM'], 'Holdfast protects virtual machines.');
  const policyType: PolicyType | undefined = isAbsent(at.policyType)
    ? 'V1'
    : wordOf(at.policyType, ['V1', 'V2'], 'V1 is a Standard policy, V2 an Enhanced one.');
  const schedule = policyType && readSchedule(at.schedulePolicy, policyType);
  const retention = readRetention(at.retentionPolicy, schedule);
  const timeZone = readTimeZone(at.timeZone);
  refuseWhatIsNotHonoured(at);
  const crashConsistent = readConsistency(at.snapshotConsistencyType, policyType);
  const instantDays =
    policyType &&
    schedule &&
    readInstantDays(at.instantRpRetentionRangeInDays, policyType, schedule, retention);
  if (
    policyType === undefined ||
    schedule === undefined ||
    timeZone === undefined ||
    instantDays === undefined
  )
    return undefined;
  return {
    name,
    policyType,
    timeZone,
    schedule,
    instantRetentionDays: instantDays,
    retention,
    ...(crashConsistent && { snapshotConsistencyType: 'OnlyCrashConsistent' }),
  };
}

function readTimeZone(field: Field): string | undefined {
  if (isAbsent(field)) return 'UTC';
  if (typeof field.value === 'string' && findTimeZone(field.value) !== undefined) return field.value;
  return refuse(
    field,
    `${quote(field.value)} is no time zone`,
    'a Windows name such as "W. Europe Standard Time" or an IANA name such as "Europe/Berlin"',
    'Times of a policy are times of day in it, right across changes of the clocks.',
  );
}

function readConsistency(field: Field, policyType: PolicyType | undefined): boolean {
  if (isAbsent(field)) return false;
  const why = "Leave it out for backups that freeze the guest's applications or file systems.";
  if (wordOf(field, ['OnlyCrashConsistent'], why) === undefined) return false;
  if (policyType === 'V1')
    refuse(
      field,
      'a Standard policy has no such choice',
      'nothing: leave it out',
      'Only crash-consistent backups take an Enhanced policy (policyType V2).',
    );
  return true;
}

function readInstantDays(
  field: Field,
  policyType: PolicyType,
  schedule: Schedule,
  retention: RetentionRules,
): number | undefined {
  const { least, most, usual, why } = instantDaysOf(policyType, schedule);
  const days = isAbsent(field) ? usual : integerOf(field, least, most, why);
  const { daily, weekly } = retention;
  const vaultDays = daily?.count ?? (weekly && weekly.count * 7);
  if (days !== undefined && vaultDays !== undefined && days > vaultDays && !isFixed({ least, most }))
    return refuse(
      field,
      `${days} days are more than the ${vaultDays} days that the vault keeps ordinary points`,
      `${least} to ${Math.min(most, vaultDays)}`,
      "A point can't leave the vault before its snapshot is given up.",
    );
  return days;
}

const isFixed = ({ least, most }: { least: number; most: number }) => least === most;

/** Settings of Azure's that Holdfast has nothing for: refused when they ask for something. */
function refuseWhatIsNotHonoured(at: Record<(typeof keys)[number], Field>): void {
  readTiering(at.tieringPolicy);
  for (const details of [at.instantRPDetails, at.instantRpDetails])
    if (Object.values(details.value ?? {}).some((value) => value !== null && value !== ''))
      refuse(
        details,
        'a resource group for snapshots is not supported',
        'nothing: leave it out',
        'Snapshots lie beside the disks of the VM.',
      );
  const guard = at.resourceGuardOperationRequests;
  if (!isAbsent(guard) && !(Array.isArray(guard.value) && guard.value.length === 0))
    refuse(guard, 'resource guards are not supported', 'nothing: leave it out', 'There is none to ask.');
}

function readTiering(field: Field): void {
  if (isAbsent(field)) return;
  const tiers = fieldsOf(field, ['ArchivedRP']);
  if (tiers === undefined || isAbsent(tiers.ArchivedRP)) return;
  const at = fieldsOf(tiers.ArchivedRP, ['tieringMode', 'duration', 'durationType']);
  if (at !== undefined)
    wordOf(
      at.tieringMode,
      ['DoNotTier'],
      'There is no archive tier: points stay in the vault until they expire.',
    );
}
