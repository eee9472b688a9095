import { type Command, Option } from 'commander';
import { type Job, jobStatus, jobsCsvHeader, jobsCsvLine } from '../../api/client/index.ts';
import type { Call } from '../call.ts';
import { addCommand, addNoun, type Cli, jobExits, onRun, withVault } from '../command.ts';
import { followJob } from '../follow-job.ts';
import { formatDuration, spanSeconds } from '../format.ts';
import { parsePositive, parseSince } from '../parse.ts';
import { hasEnded, jobFrame, jobResult, jobStatusWords, operationWords } from '../progress.ts';

type JobProperties = Job['properties'];

export function addJobCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'job', 'jobs: what was done, is being done, and how it went');
  addList(noun, cli);
  addExport(noun, cli);

  const show = withVault(
    addCommand(noun, {
      name: 'show <job>',
      summary: 'Show a job with its phases; with --watch until it ends.',
      args: { job: 'its id' },
      example: 'holdfast job show 2c5c9d1e-53cd-4e1f-a5e5-4f4b0f4a2f0d --vault v1 --watch',
      exits: jobExits,
    }),
  ).option('-w, --watch', 'follow the job to its end; the exit code is then that of the job');
  onRun<{ watch?: boolean }>(show, cli, async (call) => {
    const at = call.vault;
    const client = await call.connect();
    if (call.options.watch === true) return followJob(call, client, at, call.name);
    showJob(call, await client.jobs.get(at, call.name));
    return undefined;
  });

  const wait = withVault(
    addCommand(noun, {
      name: 'wait <job>',
      summary: 'Wait for the end of a job, show only that, and exit with its result.',
      args: { job: 'its id' },
      example: 'holdfast job wait 2c5c9d1e-53cd-4e1f-a5e5-4f4b0f4a2f0d --vault v1 --timeout 3600',
      exits: jobExits,
    }),
  ).option('--timeout <seconds>', 'give up waiting after this (exit code 1); the job goes on', parsePositive);
  onRun<{ timeout?: number }>(wait, cli, async (call) => {
    const at = call.vault;
    const { timeout } = call.options;
    return followJob(call, await call.connect(), at, call.name, {
      quiet: true,
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    });
  });

  const cancel = withVault(
    addCommand(noun, {
      name: 'cancel <job>',
      summary: 'Ask a running job to end; earlier recovery points are not touched.',
      args: { job: 'its id' },
      example: 'holdfast job cancel 2c5c9d1e-53cd-4e1f-a5e5-4f4b0f4a2f0d --vault v1',
      exits: ['notFound', 'conflict'],
    }),
  );
  onRun(cancel, cli, async (call) => {
    const at = call.vault;
    const client = await call.connect();
    await client.jobs.cancel(at, call.name);
    const job = await client.jobs.get(at, call.name);
    call.json(job);
    call.write(`${jobFrame(job, call.look, call.now).join('\n')}\n`);
  });
}

interface FilterOptions {
  status?: JobProperties['status'];
  operation?: JobProperties['operation'];
  since?: Date;
  until?: Date;
}

interface ListOptions extends FilterOptions {
  top: number;
}

/** The options that say which jobs. */
function withFilter(command: Command, cli: Cli): Command {
  const moment = (text: string) =>
    parseSince(text, cli.io.now?.() ?? Date.now(), cli.io.timeZone ?? Temporal.Now.timeZoneId());
  return command
    .addOption(new Option('--status <status>', 'only jobs in this status').choices(jobStatus.options))
    .addOption(new Option('--operation <operation>', 'only this kind').choices(Object.keys(operationWords)))
    .option(
      '--since <time>',
      'only jobs started since: a span (90min, 24h, 7d), a date, or a date and time',
      moment,
    )
    .option('--until <time>', 'only jobs started until then', moment);
}

const filterOf = ({ status, operation, since, until }: FilterOptions) => ({
  status,
  operation,
  startTime: since,
  endTime: until,
});

function addExport(noun: Command, cli: Cli): void {
  const command = withVault(
    addCommand(noun, {
      name: 'export',
      summary:
        'Print all jobs of a vault, newest first, as CSV for spreadsheets; with -o json(l) as they are.',
      example: 'holdfast job export --vault v1 --since 30d > jobs.csv',
      exits: ['notFound'],
    }),
  );
  onRun<FilterOptions>(withFilter(command, cli), cli, async (call) => {
    const jobs = (await call.connect()).jobs.each(call.vault, filterOf(call.options));
    if (call.options.output === 'json') return void call.json(await Array.fromAsync(jobs));
    call.write(jobsCsvHeader);
    for await (const job of jobs) {
      call.write(jobsCsvLine(job));
      call.json(job);
    }
    return undefined;
  });
}

function addList(noun: Command, cli: Cli): void {
  const command = withVault(
    addCommand(noun, {
      name: 'list',
      summary: 'List the jobs of a vault, newest first.',
      example: 'holdfast job list --vault v1 --status Failed --since 7d',
      exits: ['notFound'],
    }),
  );
  const list = withFilter(command, cli).option('--top <number>', 'no more than this many', parsePositive, 50);
  onRun<ListOptions>(list, cli, async (call) => {
    const at = call.vault;
    const { top } = call.options;
    const filter = filterOf(call.options);
    const jobs = await (await call.connect()).jobs.list(at, filter, top);
    call.list(
      jobs,
      [
        { header: 'JOB' },
        { header: 'OPERATION' },
        { header: 'VM' },
        { header: 'STATUS' },
        { header: 'STARTED' },
        { header: 'DURATION', align: 'right' },
      ],
      ({ name, properties }) => [
        name,
        operationWords[properties.operation],
        properties.entityFriendlyName,
        jobStatusWords[properties.status],
        call.time(properties.startTime),
        formatDuration(spanSeconds(properties.duration)),
      ],
      Object.values(filter).some((value) => value !== undefined)
        ? 'No such jobs.'
        : `No jobs yet. Start one: ${call.nextCommand('backup now --vm NAME')}`,
    );
    if (jobs.length === top && call.options.output === 'table')
      call.say(`These are the newest ${top}; more with --top.`);
  });
}

function showJob(call: Call, job: Job): void {
  const { properties } = job;
  call.show(job, [
    ['Job', job.name],
    ['Operation', operationWords[properties.operation]],
    ['VM', properties.entityFriendlyName],
    ['Status', jobStatusWords[properties.status]],
    ['Started', call.time(properties.startTime)],
    ['Ended', properties.endTime === undefined ? undefined : call.time(properties.endTime)],
    ['By', properties.isUserTriggered ? 'a user' : 'the schedule'],
    ...Object.entries(properties.extendedInfo?.propertyBag ?? {})
      .filter(([key]) => key !== 'VM Name')
      .map(([key, value]) => [key.trim(), value] as const),
  ]);
  const [, ...phases] = jobFrame(job, call.look, call.now);
  const result = hasEnded(job) ? jobResult(job, call.look) : [];
  const lines = [...phases, ...result];
  if (lines.length > 0) call.write(`\n${lines.join('\n')}\n`);
}
