import type { Command } from 'commander';
import type { Store } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Call } from '../call.ts';
import {
  addCommand,
  addNoun,
  type Cli,
  jobExits,
  onRun,
  type WaitOptions,
  withVault,
  withWait,
} from '../command.ts';
import { count } from '../format.ts';
import { parseCount, parseRate } from '../parse.ts';
import { startedJob } from '../start-job.ts';
import { figureLines, verifiedWords } from '../store-figures.ts';
import type { Cell } from '../table.ts';

export function addStoreCommands(program: Command, cli: Cli): void {
  const noun = addNoun(
    program,
    'store',
    'the stores under the vaults: is everything readable, what takes space',
  );

  const stats = withVault(
    addCommand(noun, {
      name: 'stats',
      summary: "Show what a vault's store holds, what it costs, and how its last verification went.",
      example: 'holdfast store stats --vault v1',
      exits: ['notFound'],
    }),
  );
  onRun(stats, cli, async (call) => showStore(call, await (await call.connect()).stores.get(call.vault)));

  const verify = withWait(
    withVault(
      addCommand(noun, {
        name: 'verify',
        summary: 'Read everything in the store, and name the recovery points that damage touches.',
        example: 'holdfast store verify --vault v1 --limit-rate 100M',
        exits: jobExits,
      }),
    ),
  ).option(
    '--limit-rate <rate>',
    'most to read in a second: 500K, 20M, 1G, or none (bytes; default: none)',
    parseRate,
  );
  onRun<WaitOptions & { limitRate?: number | 'none' }>(verify, cli, async (call) => {
    const { limitRate = 'none' } = call.options;
    const client = await call.connect();
    const accepted = await client.stores.verify(call.vault, {
      properties: limitRate === 'none' ? {} : { limitBytesPerSecond: limitRate },
    });
    return startedJob(call, client, accepted);
  });

  const repair = withWait(
    withVault(
      addCommand(noun, {
        name: 'repair',
        summary: 'Show what can be mended of what is known to be damaged; with --yes, mend it.',
        example: 'holdfast store repair --vault v1 --yes',
        exits: jobExits,
      }),
    ),
  ).option('-y, --yes', 'really do it; without it, the plan is shown and nothing is changed');
  onRun<WaitOptions & { yes?: boolean }>(repair, cli, async (call) => {
    const client = await call.connect();
    const execute = call.options.yes === true;
    const accepted = await client.stores.repair(call.vault, { properties: { execute } });
    return startedJob(call, client, accepted);
  });

  const collect = withWait(
    withVault(
      addCommand(noun, {
        name: 'collect',
        summary: 'Give back space that no recovery point needs, in two steps: marked now, freed a day later.',
        example: 'holdfast store collect --vault v1 --dry-run',
        exits: jobExits,
      }),
    ),
  )
    .option('--dry-run', 'show the plan and change nothing')
    .option('--force', 'go on although most recovery points have gone since the last time');
  onRun<WaitOptions & { dryRun?: boolean; force?: boolean }>(collect, cli, async (call) => {
    const { dryRun = false, force = false } = call.options;
    const client = await call.connect();
    const accepted = await client.stores.collect(call.vault, { properties: { dryRun, force } });
    return startedJob(call, client, accepted);
  });

  const set = withVault(
    addCommand(noun, {
      name: 'set',
      summary: 'Change how often the store is verified by itself.',
      example: 'holdfast store set --vault v1 --verify-every 14',
      exits: ['notFound'],
    }),
  ).option(
    '--verify-every <days>',
    'days from one verification to the next; 0 is never by itself',
    parseCount,
  );
  onRun<{ verifyEvery?: number }>(set, cli, async (call) => {
    const { verifyEvery } = call.options;
    if (verifyEvery === undefined) {
      throw new HoldfastError('InvalidCommandLine', 'Nothing to change is given.', {
        action: 'Give --verify-every DAYS.',
      });
    }
    const client = await call.connect();
    showStore(call, await client.stores.put(call.vault, { properties: { verifyEveryDays: verifyEvery } }));
  });
}

function showStore(call: Call, store: Store): void {
  const { properties } = store;
  const { verifyEveryDays } = properties;
  call.show(store, [
    ['Vault', store.name],
    ['Store', properties.storePath],
    [
      'Status',
      properties.status === 'Ready' ? { text: 'ready', tone: 'good' } : { text: 'unavailable', tone: 'bad' },
    ],
    ['', properties.statusMessage],
    ...figureLines(properties),
    [
      'Verified',
      verifiedWords(
        (at) => call.time(at),
        properties.lastVerification?.endedAt,
        properties.unfinishedVerificationSince,
      ),
    ],
    ['', verificationWords(store)],
    ['Verified by itself', verifyEveryDays === 0 ? 'never' : `every ${count(verifyEveryDays, 'day')}`],
    [
      'Collected',
      properties.lastCollectedAt === undefined ? undefined : call.time(properties.lastCollectedAt),
    ],
  ]);
}

/** What the last verification found. */
function verificationWords({ properties: { lastVerification: last } }: Store): Cell | undefined {
  if (last === undefined) return undefined;
  const { damagedPackCount: packs, damagedObjectCount: objects, damagedPointCount: points } = last;
  if (packs + objects + points === 0) return { text: 'everything could be read', tone: 'good' };
  const parts = [count(packs, 'damaged pack'), count(objects, 'other damaged object')];
  const lost = `${count(points, 'recovery point')} not whole`;
  return { text: [lost, ...parts].join(', '), tone: points > 0 ? 'bad' : 'warning' };
}
