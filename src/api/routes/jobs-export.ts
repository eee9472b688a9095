import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  findOperation,
  getVault,
  type JobCursor,
  type JobFilter,
  listJobs,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { type Job, jobsCsvHeader, jobsCsvLine } from '../client/index.ts';
import { noteOperation, operationOf } from '../protocol/operation-registry.ts';
import { baseUrl, param, query, type RegisterRoutes, urlOf, vaultOf, vaultPath } from '../scope.ts';
import { jobFilterOf, presentJob } from './jobs.ts';

/** As long as Azure's links to an exported file are good. */
const linkMinutes = 15;

const jobsAtOnce = 1000;

/** What an export holds, as its operation has it. */
interface Export {
  /** Undefined where the filter wants jobs of something that there is none of here. */
  jobsExport: JobFilter | null;
}

const formats = { json: 'application/json; charset=utf-8', csv: 'text/csv; charset=utf-8' } as const;
type Format = keyof typeof formats;

/**
 * Azure's export of jobs: an operation whose result names two files, to be fetched without a token for a quarter of an
 * hour. They are written while they are fetched, of the jobs that had begun when the export was asked for. What signs the
 * links is kept by no one: after a restart a new export is asked for.
 */
export const registerJobsExport: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db, clock } = workshop;
  const key = randomBytes(32);
  const signatureOf = (file: string, until: string) =>
    createHmac('sha256', key).update(`${file} ${until}`).digest('base64url');

  app.post(`${vaultPath}/backupJobsExport`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const wanted = jobFilterOf(request);
    const now = clock.now().toString({ fractionalSecondDigits: 3 });
    const until = wanted?.startedUntil;
    const jobsExport = wanted && {
      ...wanted,
      startedUntil: until !== undefined && until < now ? until : now,
    };
    const operationId = await noteOperation(workshop, {
      vaultId: vault.vault_id,
      result: { jobsExport: jobsExport ?? null } satisfies Export,
    });
    const version = query(request, 'api-version');
    const suffix = version === undefined ? '' : `?api-version=${encodeURIComponent(version)}`;
    return reply
      .code(202)
      .header(
        'location',
        `${urlOf(request, ids.vault(vault))}/backupJobs/operationResults/${operationId}${suffix}`,
      )
      .header('retry-after', '1')
      .send();
  });

  app.get(`${vaultPath}/backupJobs/operationResults/:operation`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { row } = await operationOf(workshop, param(request, 'operation'), vault.vault_id, '');
    if (exportOf(row.result_json) === undefined) return reply.code(204).send();
    const link = (format: Format) => {
      const file = `${row.operation_id}.${format}`;
      const until = clock.now().add({ minutes: linkMinutes }).toString({ fractionalSecondDigits: 3 });
      return {
        url: `${baseUrl(request)}/holdfast/exports/${file}`,
        key: `?se=${encodeURIComponent(until)}&sig=${signatureOf(file, until)}`,
      };
    };
    const [json, csv] = [link('json'), link('csv')];
    return reply.header('cache-control', 'no-store').send({
      statusCode: 'OK',
      headers: {},
      operation: {
        objectType: 'ExportJobsOperationResultInfo',
        blobUrl: json.url,
        blobSasKey: json.key,
        excelFileBlobUrl: csv.url,
        excelFileBlobSasKey: csv.key,
      },
    });
  });

  app.get('/holdfast/exports/:file', async (request, reply) => {
    const file = param(request, 'file');
    const [operationId = '', format = ''] = file.split('.');
    const row = isSigned(request, file) ? await findOperation(db, operationId) : undefined;
    const found = exportOf(row?.result_json ?? null);
    const vault = row?.vault_id == null ? undefined : await getVault(db, row.vault_id).catch(() => undefined); // deleted
    if (found === undefined || vault === undefined || !isFormat(format))
      throw new HoldfastError('ResourceNotFound', 'This link to an export is not good, or not any more.', {
        action:
          'Export the jobs again; a link is good for 15 minutes, and until the service is started again.',
      });
    return sendFile(reply, format, jobsOf(vault, found.jobsExport));
  });

  function isSigned(request: FastifyRequest, file: string): boolean {
    const until = query(request, 'se') ?? '';
    const given = Buffer.from(query(request, 'sig') ?? '');
    const right = Buffer.from(signatureOf(file, until));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return false;
    return Temporal.Instant.compare(clock.now(), until) < 0;
  }

  async function* jobsOf(vault: VaultRow, filter: JobFilter | null): AsyncGenerator<Job> {
    for (let after: JobCursor | undefined; filter !== null; ) {
      const rows = await listJobs(db, vault.vault_id, filter, { limit: jobsAtOnce, after });
      for (const row of rows) yield presentJob(scope, vault, row, undefined);
      const last = rows.at(-1);
      if (last === undefined || rows.length < jobsAtOnce) return;
      after = [last.started_at, last.job_id];
    }
  }
};

const isFormat = (text: string): text is Format => Object.hasOwn(formats, text);

function exportOf(json: string | null): Export | undefined {
  const result = json === null ? undefined : (JSON.parse(json) as object);
  return result !== undefined && 'jobsExport' in result ? (result as Export) : undefined;
}

function sendFile(reply: FastifyReply, format: Format, jobs: AsyncGenerator<Job>): FastifyReply {
  return reply
    .header('content-type', formats[format])
    .header('content-disposition', `attachment; filename="backup-jobs.${format}"`)
    .header('cache-control', 'no-store')
    .send(Readable.from(format === 'csv' ? csvOf(jobs) : jsonOf(jobs)));
}

async function* csvOf(jobs: AsyncGenerator<Job>): AsyncGenerator<string> {
  yield jobsCsvHeader;
  for await (const job of jobs) yield jobsCsvLine(job);
}

async function* jsonOf(jobs: AsyncGenerator<Job>): AsyncGenerator<string> {
  let before = '[\n';
  for await (const job of jobs) {
    yield before + JSON.stringify(job);
    before = ',\n';
  }
  yield before === '[\n' ? '[]\n' : '\n]\n';
}
