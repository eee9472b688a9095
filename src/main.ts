import { constants } from 'node:os';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { defaultHome, parsePositive, processIo, runCli } from './cli/index.ts';
import { HoldfastError } from './errors/index.ts';

/** `HOST:PORT`, an IPv6 address in brackets. */
function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new HoldfastError('InvalidInput', `'${text}' is no address to listen on.`, {
      action: 'Write it as HOST:PORT, for example 127.0.0.1:8443.',
    });
  }
  return { host, port };
}

/** What may still run when the work is done, a hung connection for example, gets this long to end by itself. */
const lingerMs = 5_000;

/** Runs the service until it is told to stop; told so twice, it ends at once. */
async function serve(options: {
  home?: string;
  listen: string;
  database?: string;
  logLevel: string;
  restoreRoot: string[];
  maxTransfers: number;
  maxTransfersPerHost: number;
  maxTransfersPerStore: number;
  jobHistoryDays: number;
}): Promise<void> {
  const stopAsked = Promise.withResolvers<NodeJS.Signals>();
  let asked = 0;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      asked += 1;
      if (asked > 1) process.exit(128 + constants.signals[signal]);
      stopAsked.resolve(signal);
    });
  }
  // Written at once: the lines before a crash are the ones that matter.
  const log = pino({ level: options.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  // Only here: every other command is a client and need not wait for the service's code to load.
  const { startService } = await import('./service.ts');
  if (options.home === '') throw new HoldfastError('InvalidInput', 'The home has no name.');
  const relative = options.restoreRoot.find((path) => !path.startsWith('/'));
  if (relative !== undefined)
    throw new HoldfastError('InvalidInput', `The restore root '${relative}' is no absolute directory.`);
  const home = options.home ?? (process.env.HOLDFAST_HOME || defaultHome());
  try {
    const service = await startService({
      home,
      listen: parseListen(options.listen),
      log,
      restoreRoots: options.restoreRoot,
      transferLimits: {
        overall: options.maxTransfers,
        perHost: options.maxTransfersPerHost,
        perStore: options.maxTransfersPerStore,
      },
      jobHistoryDays: options.jobHistoryDays,
      database: options.database,
    });
    process.stdout.write(`Holdfast serves ${service.endpoint} from ${home}\n`);
    if (service.firstRunLink !== undefined)
      process.stdout.write(`Become its owner, once and within an hour: ${service.firstRunLink}\n`);
    const signal = await stopAsked.promise;
    log.info({ signal }, 'stopping');
    await service.stop().catch((error: unknown) => {
      log.error({ err: error }, 'the service did not stop cleanly');
      throw error;
    });
  } finally {
    setTimeout(() => process.exit(), lingerMs).unref();
  }
}

const serveCommand = new Command('serve')
  .description('Run the service: hosts, vaults, schedules, jobs and the API.')
  .option('--listen <host:port>', 'address of the API', '127.0.0.1:8443')
  .option(
    '--database <address>',
    'PostgreSQL database for the catalog (postgres://…); the home remembers it, in the file "database"',
  )
  .option(
    '--restore-root <dir>',
    'a directory that clients may restore into; may be given several times',
    (dir: string, all: string[]) => [...all, dir],
    [],
  )
  .option('--max-transfers <n>', 'transfers to vaults at once', parsePositive, 2)
  .option('--max-transfers-per-host <n>', 'transfers from one host at once', parsePositive, 2)
  .option('--max-transfers-per-store <n>', 'transfers to one vault at once', parsePositive, 2)
  .option('--job-history-days <n>', 'how long ended jobs can be looked up', parsePositive, 180)
  .addOption(
    new Option('--log-level <level>', 'what to log; the log goes to stderr')
      .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .default('info'),
  )
  .addHelpText(
    'after',
    '\nExample: holdfast serve --home /var/lib/holdfast --listen 127.0.0.1:8443\n' +
      '\nSIGTERM stops it cleanly, a second one at once; jobs that run are taken up at the next start.',
  )
  .action((_options, command: Command) => serve(command.optsWithGlobals()));

process.exitCode = await runCli(process.argv.slice(2), processIo(), { commands: [serveCommand] });
