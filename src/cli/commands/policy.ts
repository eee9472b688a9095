import type { Command } from 'commander';
import type { Policy } from '../../api/client/index.ts';
import { addCommand, addNoun, type Cli, onRun, withVault } from '../command.ts';
import { count } from '../format.ts';
import { addPolicyEditCommands } from './policy-edit.ts';

export function addPolicyCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'policy', 'backup policies of a vault');

  const list = withVault(
    addCommand(noun, {
      name: 'list',
      summary: 'List the policies of a vault.',
      example: 'holdfast policy list --vault v1',
      exits: ['notFound'],
    }),
  );
  onRun(list, cli, async (call) => {
    const at = call.vault;
    call.list(
      await (await call.connect()).policies.list(at),
      [
        { header: 'NAME' },
        { header: 'SCHEDULE' },
        { header: 'KEPT IN VAULT' },
        { header: 'KEPT AS SNAPSHOT' },
        { header: 'ITEMS', align: 'right' },
      ],
      ({ name, properties }) => [
        name,
        schedule(properties),
        retention(properties),
        count(properties.instantRpRetentionRangeInDays, 'day'),
        String(properties.protectedItemsCount),
      ],
      `Vault ${at.vault} has no policies.`,
    );
  });

  const show = withVault(
    addCommand(noun, {
      name: 'show <policy>',
      summary: 'Show when a policy backs up and how long it keeps.',
      args: { policy: 'its name' },
      example: 'holdfast policy show DefaultPolicy --vault v1',
      exits: ['notFound'],
    }),
  );
  onRun(show, cli, async (call) => {
    const at = call.vault;
    const policy = await (await call.connect()).policies.get(at, call.name);
    call.show(policy, [
      ['Name', policy.name],
      ['Vault', at.vault],
      ['Type', policy.properties.policyType === 'V1' ? 'Standard (V1)' : 'Enhanced (V2)'],
      ['Schedule', schedule(policy.properties)],
      ['Kept in vault', retention(policy.properties)],
      ['Kept as snapshot', count(policy.properties.instantRpRetentionRangeInDays, 'day')],
      ['Protected items', String(policy.properties.protectedItemsCount)],
    ]);
  });

  addPolicyEditCommands(noun, cli);
}

function schedule({ schedulePolicy, timeZone }: Policy['properties']): string {
  if (schedulePolicy.schedulePolicyType === 'SimpleSchedulePolicy') {
    const { scheduleRunDays, scheduleRunTimes } = schedulePolicy;
    return daysAndTime(scheduleRunDays, scheduleRunTimes, timeZone);
  }
  const { hourlySchedule: hourly, dailySchedule, weeklySchedule } = schedulePolicy;
  if (hourly !== undefined) {
    const start = timeOfDay(hourly.scheduleWindowStartTime);
    return `every ${count(hourly.interval, 'hour')} from ${start} for ${count(hourly.scheduleWindowDuration, 'hour')} (${timeZone})`;
  }
  const times = (weeklySchedule ?? dailySchedule)?.scheduleRunTimes ?? [];
  return daysAndTime(weeklySchedule?.scheduleRunDays, times, timeZone);
}

function daysAndTime(days: string[] | undefined, times: string[], timeZone: string): string {
  const when = days === undefined || days.length === 0 ? 'daily' : days.join(', ');
  return `${when} at ${times.map(timeOfDay).join(', ')} (${timeZone})`;
}

/** Only the clock part of a run time counts, and it is wall-clock time in the policy's zone, whatever its suffix. */
function timeOfDay(time: string): string {
  return /T(\d{2}:\d{2})/.exec(time)?.[1] ?? time;
}

function retention({ retentionPolicy }: Policy['properties']): string {
  const { dailySchedule, weeklySchedule, monthlySchedule, yearlySchedule } = retentionPolicy;
  return [dailySchedule, weeklySchedule, monthlySchedule, yearlySchedule]
    .flatMap((rule) => (rule === undefined ? [] : [rule.retentionDuration]))
    .map(({ count: kept, durationType }) => count(kept, durationType.slice(0, -1).toLowerCase()))
    .join(', ');
}
