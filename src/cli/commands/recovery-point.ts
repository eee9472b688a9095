import type { Command } from 'commander';
import type { RecoveryPoint } from '../../api/client/index.ts';
import { type Call, shellWord } from '../call.ts';
import { addCommand, addNoun, type Cli, itemAddress, onRun, type VmOptions, withItem } from '../command.ts';
import { formatBytes, nothing } from '../format.ts';
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
  onRun<VmOptions>(list, cli, async (call) => {
    const at = itemAddress(call);
    call.list(
      await (await call.connect()).recoveryPoints.list(at),
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
        tiers(properties),
        formatBytes(storedBytes(properties)),
        call.time(properties.recoveryPointProperties.expiryTime),
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
    ['Expires', call.time(properties.recoveryPointProperties.expiryTime)],
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
