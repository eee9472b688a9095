import type { Command } from 'commander';
import type { RecoveryPoint } from '../../api/client/index.ts';
import { type Call, shellWord } from '../call.ts';
import { addCommand, addNoun, type Cli, itemAddress, onRun, type VmOptions, withItem } from '../command.ts';
import { formatBytes, nothing } from '../format.ts';
import { printable } from '../look.ts';
import { parseMoment } from '../parse.ts';
import { type Cell, formatTable } from '../table.ts';

type Properties = RecoveryPoint['properties'];

const consistencyWords: Record<Properties['recoveryPointType'], Cell> = {
  AppConsistent: { text: 'application', tone: 'good' },
  FileSystemConsistent: { text: 'file-system', tone: 'good' },
  CrashConsistent: { text: 'crash', tone: 'warning' },
};

export function addRecoveryPointCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'recovery-point', 'recovery points: the moments a VM can be brought back to');

  const list = withItem(
    addCommand(noun, {
      name: 'list',
      summary: 'List the recovery points of a virtual machine.',
      example: 'holdfast recovery-point list --vault v1 --vm web-1',
      exits: ['notFound', 'conflict'],
    }),
  );
  list.option('--include-deleted', 'soft-deleted ones, too');
  onRun<VmOptions & { includeDeleted?: boolean }>(list, cli, async (call) => {
    const at = itemAddress(call);
    call.list(
      await (await call.connect()).recoveryPoints.list(at, {
        softDeleted: call.options.includeDeleted === true,
      }),
      [
        { header: 'ID' },
        { header: 'TIME' },
        { header: 'CONSISTENCY' },
        { header: 'TIER' },
        { header: 'STORED', align: 'right' },
        { header: 'EXPIRES' },
      ],
      ({ name, properties }) => [
        name,
        call.time(properties.recoveryPointTime),
        consistencyWords[properties.recoveryPointType],
        `${tiers(properties)}${properties.holdfast.isBeforeRestore ? ', before a restore' : ''}`,
        formatBytes(storedBytes(properties)),
        expiry(call, properties),
      ],
      `No recovery points yet. Make one: ${call.nextCommand(`backup now --vm ${shellWord(at.vm)}`)}`,
    );
  });

  const show = withItem(
    addCommand(noun, {
      name: 'show <recovery-point>',
      summary: 'Show a recovery point, its disks and what they cost.',
      args: { 'recovery-point': 'its id' },
      example: 'holdfast recovery-point show 2603104417 --vault v1 --vm web-1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun<VmOptions>(show, cli, async (call) => {
    const at = itemAddress(call);
    showPoint(call, await (await call.connect()).recoveryPoints.get(at, call.name));
  });

  const extend = withItem(
    addCommand(noun, {
      name: 'extend <recovery-point>',
      summary: 'Keep a recovery point until a later date, whatever its policy says.',
      args: { 'recovery-point': 'its id' },
      example: 'holdfast recovery-point extend 2603104417 --until 2030-12-31 --vault v1 --vm web-1',
      exits: ['notFound', 'conflict'],
    }),
  ).requiredOption('--until <date>', 'date, or date and time, in local time');
  onRun<VmOptions & { until: string }>(extend, cli, async (call) => {
    const at = itemAddress(call);
    const until = parseMoment(call.options.until, call.look.timeZone, 'end').toISOString();
    const point = await (await call.connect()).recoveryPoints.extend(at, call.name, until);
    call.json(point);
    const { recoveryPointProperties: kept } = point.properties;
    call.write(
      `Recovery point ${printable(point.name)} is kept until ${kept.expiryTime === undefined ? 'it is deleted' : call.time(kept.expiryTime)}.\n`,
    );
  });

  const remove = withItem(
    addCommand(noun, {
      name: 'delete <recovery-point>',
      summary: 'Soft-delete a recovery point; it can be brought back until its time is over.',
      args: { 'recovery-point': 'its id' },
      example: 'holdfast recovery-point delete 2603104417 --vault v1 --vm web-1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun<VmOptions>(remove, cli, async (call) => {
    const at = itemAddress(call);
    const point = await (await call.connect()).recoveryPoints.delete(at, call.name);
    call.json(point);
    call.write(
      `Recovery point ${printable(point.name)} is soft-deleted; it will be removed ${call.time(point.properties.holdfast.removalTime)}.\n`,
    );
    call.write(
      `To bring it back: ${call.nextCommand(`recovery-point undelete ${printable(point.name)} --vm ${shellWord(at.vm)}`)}\n`,
    );
  });

  const undelete = withItem(
    addCommand(noun, {
      name: 'undelete <recovery-point>',
      summary: 'Bring back a recovery point that was deleted; it expires as it would have.',
      args: { 'recovery-point': 'its id' },
      example: 'holdfast recovery-point undelete 2603104417 --vault v1 --vm web-1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun<VmOptions>(undelete, cli, async (call) => {
    const at = itemAddress(call);
    showPoint(call, await (await call.connect()).recoveryPoints.undelete(at, call.name));
  });
}

/** What ends it, and when. */
function expiry(call: Call, { recoveryPointProperties, holdfast }: Properties): Cell {
  switch (holdfast.keptUntil) {
    case 'expiry':
      return call.time(recoveryPointProperties.expiryTime);
    case 'removal':
      return { text: `soft-deleted, removed ${call.time(holdfast.removalTime)}`, tone: 'bad' };
    case 'purge':
      return { text: `purged ${call.time(holdfast.removalTime)}`, tone: 'bad' };
    case 'deletion':
      return 'kept until deleted';
  }
}

/** Where the point can be restored from. */
function tiers({ recoveryPointTierDetails, holdfast: { inReplica } }: Properties): Cell {
  const has = (type: string) =>
    recoveryPointTierDetails.some((tier) => tier.type === type && tier.status === 'Valid');
  const places = [
    ...(has('InstantRP') ? ['snapshot'] : []),
    ...(has('HardenedRP') ? ['vault'] : []),
    ...(inReplica === true ? ['replica'] : []),
  ];
  const last = places.pop();
  if (last === undefined) return { text: 'none', tone: 'bad' };
  return places.length === 0 ? last : `${places.join(', ')} and ${last}`;
}

function storedBytes({ holdfast }: Properties): number | undefined {
  const known = holdfast.disks.flatMap((disk) => disk.storedBytes ?? []);
  return known.length === 0 ? undefined : known.reduce((sum, bytes) => sum + bytes, 0);
}

function showPoint(call: Call, point: RecoveryPoint): void {
  const { properties } = point;
  const excluded = properties.recoveryPointDiskConfiguration.excludedDiskList.map(({ name }) => name);
  call.show(point, [
    ['Recovery point', point.name],
    ['Time', call.time(properties.recoveryPointTime)],
    ['Consistency', consistencyWords[properties.recoveryPointType]],
    ['', properties.recoveryPointAdditionalInfo || undefined],
    ['Tier', tiers(properties)],
    ['Power', properties.holdfast.powerState],
    ['Frozen for', `${properties.holdfast.frozenMs} ms`],
    ['Expires', expiry(call, properties)],
    [
      'Damaged',
      properties.holdfast.damaged ? { text: 'yes: it can not be restored in full', tone: 'bad' } : undefined,
    ],
    ['Kept by', properties.recoveryPointProperties.ruleName],
    ['Job', properties.holdfast.jobId],
    ['Excluded disks', excluded.length === 0 ? undefined : excluded.join(', ')],
  ]);
  const table = formatTable(
    [
      { header: 'DISK' },
      { header: 'FORMAT' },
      { header: 'SIZE', align: 'right' },
      { header: 'READ', align: 'right' },
      { header: 'NEW', align: 'right' },
      { header: 'STORED', align: 'right' },
      { header: 'BASIS' },
    ],
    properties.holdfast.disks.map((disk) => [
      disk.target,
      disk.format,
      formatBytes(disk.sizeBytes),
      formatBytes(disk.readBytes),
      formatBytes(disk.newBytes),
      formatBytes(disk.storedBytes),
      disk.basis ?? nothing,
    ]),
    call.look,
  );
  call.write(`\n${table}`);
}
