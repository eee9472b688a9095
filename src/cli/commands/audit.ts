import type { Command } from 'commander';
import type { AuditEntry } from '../../api/client/index.ts';
import { addCommand, addNoun, type Cli, onRun } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { parsePositive, parseSince } from '../parse.ts';
import type { Cell } from '../table.ts';

const tones: Record<AuditEntry['properties']['status'], Cell> = {
  Started: 'started',
  Succeeded: { text: 'succeeded', tone: 'good' },
  Failed: { text: 'failed', tone: 'bad' },
  Refused: { text: 'refused', tone: 'warning' },
};

export function addAuditCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'audit', 'the log of who did what');

  const list = addCommand(noun, {
    name: 'list',
    summary: 'List what was done or refused, newest first.',
    example: 'holdfast audit list --since 24h',
  })
    .option('--since <time>', 'from then on: a span back from now (90min, 24h, 7d), a date or a time')
    .option('--limit <number>', 'no more than so many', parsePositive, 50);
  onRun<{ since?: string; limit: number }>(list, cli, async (call) => {
    const { since, limit } = call.options;
    const from = since === undefined ? undefined : parseSince(since, call.now, call.look.timeZone);
    call.list(
      await (await call.connect()).audit.list(limit, from?.toISOString()),
      [
        { header: 'TIME' },
        { header: 'WHO' },
        { header: 'STATUS' },
        { header: 'ACTION' },
        { header: 'RESOURCE' },
      ],
      ({ properties }) => [
        call.time(properties.time),
        properties.principalName,
        tones[properties.status],
        properties.action,
        properties.resource,
      ],
      'Nothing was done yet.',
    );
  });

  const verify = addCommand(noun, {
    name: 'verify',
    summary: 'Check that no line of the log was changed or taken out.',
    example: 'holdfast audit verify',
    exits: ['conflict'],
  });
  onRun(verify, cli, async (call) => {
    const found = await (await call.connect()).audit.verify();
    call.json(found);
    call.write(
      found.intact
        ? `All ${found.entries} lines are as they were written.\n`
        : `The log was changed: line ${found.brokenAt} is not what was written.\n`,
    );
    return found.intact ? exitCodes.ok : exitCodes.conflict;
  });
}
