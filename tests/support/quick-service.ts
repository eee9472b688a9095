/**
 * The service as `holdfast serve` runs it, except that a refused snapshot is tried again soon rather than after a
 * minute: for tests that refuse snapshots on purpose. Takes --home; the address is chosen by the system.
 */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { startService } from '../../src/service.ts';

const { values } = parseArgs({ options: { home: { type: 'string' }, listen: { type: 'string' } } });
if (values.home === undefined) throw new Error('--home is missing');
const service = await startService({
  home: values.home,
  listen: { host: '127.0.0.1', port: 0 },
  log: pino({ level: 'info', base: null }, pino.destination({ dest: 2, sync: true })),
  snapshotRetryDelayMs: 500,
});
process.stdout.write(`Holdfast serves ${service.endpoint} from ${values.home}\n`);
process.once('SIGTERM', () => void service.stop());
