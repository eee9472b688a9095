import type { Command } from 'commander';
import {
  addCommand,
  addNoun,
  type Cli,
  itemAddress,
  jobExits,
  onRun,
  type VmOptions,
  type WaitOptions,
  withItem,
  withWait,
} from '../command.ts';
import { parseMoment } from '../parse.ts';
import { startedJob } from '../start-job.ts';

export function addBackupCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'backup', 'backups on demand');
  const now = withWait(
    withItem(
      addCommand(noun, {
        name: 'now',
        summary: 'Back up a protected virtual machine now.',
        example: 'holdfast backup now --vault v1 --vm web-1 --retain-until 2027-01-31',
        exits: jobExits,
      }),
    ).option(
      '--retain-until <date>',
      'keep the recovery point to the end of this day, or to this moment (default: 30 days)',
      (text) => parseMoment(text, cli.io.timeZone ?? Temporal.Now.timeZoneId(), 'end'),
    ),
  );
  onRun<VmOptions & WaitOptions & { retainUntil?: Date }>(now, cli, async (call) => {
    const at = itemAddress(call);
    const { retainUntil } = call.options;
    const client = await call.connect();
    const accepted = await client.items.backup(at, {
      properties: {
        objectType: 'IaasVMBackupRequest',
        ...(retainUntil === undefined ? {} : { recoveryPointExpiryTimeInUTC: retainUntil.toISOString() }),
      },
    });
    return startedJob(call, client, accepted);
  });
}
