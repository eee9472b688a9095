import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Job, Policy, ProtectedItem, RecoveryPoint } from '../../src/api/client/index.ts';
import type { LabGuest } from '../lab/index.ts';
import { chainOf } from '../support/images.ts';
import { Product, writeNoise } from '../support/product.ts';

let product: Product;
let guest: LabGuest;
let images: number;

beforeAll(async () => {
  product = await Product.start();
  guest = await product.lab.makeGuest({
    name: 'lively',
    disks: [{ format: 'qcow2', sizeBytes: 64 * 2 ** 20, content: { noise: randomBytes(4 * 2 ** 20) } }],
  });
  await guest.waitForAgent();
  await guest.waitForBoot();
  images = await imagesOfDisk();
});

afterAll(async () => {
  await product?.end();
});

const imagesOfDisk = async () => (await chainOf(product.lab, guest, 'vda')).length;

/** Runs `holdfast item VERB` to the end of its job. */
async function item(verb: string, ...options: string[]): Promise<void> {
  const { properties } = await product.cli.json<Job>('item', verb, ...product.itemOf(guest), ...options);
  expect(properties, JSON.stringify(properties)).toMatchObject({ status: 'Completed' });
}

async function state(): Promise<string> {
  const { properties } = await product.cli.json<ProtectedItem>('item', 'show', ...product.itemOf(guest));
  return properties.isScheduledForDeferredDelete ? 'SoftDeleted' : properties.protectionState;
}

/** Runs a command about the item that has to be refused. @returns the code */
const refused = async (...words: string[]) =>
  (await product.cli.refusal(...words, ...product.itemOf(guest))).code;

const onPoint = (verb: string, { name }: RecoveryPoint, ...options: string[]) =>
  product.cli.json<RecoveryPoint>('recovery-point', verb, name, ...product.itemOf(guest), ...options);

const update = (...options: string[]) => product.cli.json('vault', 'update', 'Main', ...options);

it('follows a policy that is edited, and keeps single points longer, or gives them up', async () => {
  const at = ['--vault', 'Main'];
  const schedule = ['--at', '02:30', '--time-zone', 'Europe/Berlin'];
  await product.cli.json('policy', 'create', 'Nightly', ...at, ...schedule, '--keep-days', '30');
  await product.protect(guest, '--policy', 'Nightly');
  const first = await product.backUp(guest);
  await writeNoise(guest, '/mnt/vda/more', 2);
  const second = await product.backUp(guest);

  const wrong = ['policy', 'set', 'Nightly', ...at, '--keep-days', '1'];
  expect(await product.cli.refusal(...wrong)).toMatchObject({ code: 'BMSUserErrorInvalidPolicyInput' });
  await product.cli.json('policy', 'set', 'Nightly', ...at, '--keep-days', '60');
  const [configured] = await product.jobs('ConfigureBackup');
  expect(configured?.properties).toMatchObject({ status: 'Completed', entityFriendlyName: 'lively' });
  const policy = await product.cli.json<Policy>('policy', 'show', 'Nightly', ...at);
  expect(policy.properties.retentionPolicy.dailySchedule?.retentionDuration.count).toBe(60);

  const extended = await onPoint('extend', first, '--until', '2090-12-31T00:00:00Z');
  expect(extended.properties.recoveryPointProperties.expiryTime).toMatch(/^2090-12-31T00:00:00/);
  await onPoint('delete', first);
  expect(
    await refused('restore', 'disks', '--recovery-point', first.name, '--to', product.newDirectory()),
  ).toBe('UserErrorRecoveryPointSoftDeleted');
  expect(await refused('recovery-point', 'delete', second.name)).toBe('UserErrorLastRecoveryPoint');
  const back = await onPoint('undelete', first);
  expect(back.properties.recoveryPointProperties.expiryTime).toMatch(/^2090-12-31/);
  for (const point of [first, second]) await product.expectRestores(guest, point);
});

it('is suspended where the vault is immutable, stopped with its data, and resumed', async () => {
  expect(await refused('item', 'stop', '--suspend')).toBe('UserErrorOperationDeniedOnImmutableItem');
  await update('--immutability', 'on');
  const [newest] = await product.points(guest);
  expect(await refused('recovery-point', 'delete', newest?.name ?? '')).toBe(
    'UserErrorOperationDeniedOnImmutableItem',
  );
  const remove = ['item', 'stop', '--delete-data', '--confirm', 'lively'];
  expect(await refused(...remove)).toBe('UserErrorOperationDeniedOnImmutableItem');
  await item('stop', '--suspend');
  expect(await state()).toBe('BackupsSuspended');
  expect(await refused('backup', 'now')).toBe('UserErrorBcmDatasourceNotPresent');
  await item('resume', '--policy', 'Nightly');
  await update('--immutability', 'off');

  await item('stop', '--retain');
  expect(await state()).toBe('ProtectionStopped');
  expect(await imagesOfDisk()).toBe(images); // its own disks again, under a guest that runs on
  await item('resume', '--policy', 'Nightly');
  expect(await state()).toBe('Protected');
  await product.expectRestores(guest, await product.backUp(guest));
});

it('is deleted by its name, comes back whole, and is purged no sooner than its time', async () => {
  const points = await product.points(guest);
  expect(points).toHaveLength(3);
  const remove = ['--delete-data', '--confirm'];
  expect(await refused('item', 'stop', ...remove, 'livelier')).toBe('InvalidCommandLine');
  await item('stop', ...remove, 'lively');
  expect(await state()).toBe('SoftDeleted');
  expect(await imagesOfDisk()).toBe(images);
  expect(await refused('item', 'enable', '--policy', 'Nightly')).toBe('UserErrorItemSoftDeleted');
  expect(await refused('item', 'purge')).toBe('UserErrorItemSoftDeleted');
  await item('undelete');
  expect(await state()).toBe('ProtectionStopped');
  expect((await product.points(guest)).map(({ name }) => name)).toEqual(points.map(({ name }) => name));
  for (const point of points) await product.expectRestores(guest, point);
  expect(await guest.state()).toBe('running');
  expect(await guest.isFrozen()).toBe(false);
  expect(await product.imageServers()).toEqual([]);
});
