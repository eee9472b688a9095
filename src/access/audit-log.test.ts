import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { scratchPlace } from '../../tests/support/scratch-place.ts';
import { openCatalog } from '../catalog/index.ts';
import { type AuditEntry, AuditLog } from './audit-log.ts';

const entry: AuditEntry = {
  principal_id: 'p',
  principal_name: 'Ada',
  action: 'Holdfast.Fleet/hosts/write',
  resource: '/hosts/a',
  status: 'Started',
  http_status: null,
  request_id: 'r',
  address: '127.0.0.1',
};

it('keeps one chain when two services write at once, and notices every change but a shorter end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-audit-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await using scratch = await scratchPlace(directory);
  await using catalog = await openCatalog(scratch.place);
  const { db } = catalog;
  const logs = [new AuditLog(db, () => 0), new AuditLog(db, () => 1000)];
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => logs[n % 2]?.append({ ...entry, request_id: `${n}` })),
  );
  const [log] = logs as [AuditLog];
  expect(await log.verify()).toEqual({ entries: 20 });

  await db.updateTable('audit').set({ principal_name: 'Eve' }).where('seq', '=', 7).execute();
  expect(await log.verify()).toMatchObject({ brokenAt: 7 });
  await db.updateTable('audit').set({ principal_name: 'Ada' }).where('seq', '=', 7).execute();
  expect(await log.verify()).toEqual({ entries: 20 });
  await db.deleteFrom('audit').where('seq', '=', 12).execute();
  expect(await log.verify()).toMatchObject({ brokenAt: 12 });
});
