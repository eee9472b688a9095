import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newFirstRunCode } from '../../src/access/index.ts';
import { getItem, insertItem, insertPolicy, updateItem } from '../../src/catalog/index.ts';
import { underPolicy } from '../../src/jobs/policies.ts';
import { defaultPolicy, enhancedPolicy } from '../../src/protection/index.ts';
import { type ApiServer, createApiServer } from '../support/api-server.ts';
import { builtPortal, expectAccessible, keepPictures, startBrowser, type TestBrowser } from './browser.ts';

/** Policies: made, seen, edited by two at once, and deleted. */

let server: ApiServer;
let browser: TestBrowser;
let page: Page;
let endpoint: string;

beforeAll(async () => {
  server = await createApiServer({ portal: await builtPortal() });
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  browser = await startBrowser();
  page = await (await browser.newContext({ viewport: { width: 1280, height: 1200 } })).newPage();
  const { db, clock } = server.estate.workshop;
  const code = await newFirstRunCode(db, clock.now().epochMilliseconds);
  await page.goto(`${endpoint}/holdfast/first-run?code=${code}`);
  await page.getByLabel('User name').fill('ada');
  await page.getByLabel(/^Password/).fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Go on to the portal' }).click();
  await heading('Overview').waitFor();
  const item = await server.estate.item();
  const vault = await server.estate.workshop.db
    .selectFrom('vaults')
    .selectAll()
    .where('vault_id', '=', item.vault_id)
    .executeTakeFirstOrThrow();
  vaultAddress = `/vaults/${vault.resource_group}/${vault.name}`;
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

let vaultAddress: string;
const go = (path: string) => page.goto(`${endpoint}/portal${path}`);
const heading = (name: string | RegExp, on = page) => on.getByRole('heading', { level: 1, name });
const days = () => page.getByRole('region', { name: 'Days of the month' });

async function checkPage(name: string): Promise<void> {
  await expectAccessible(page);
  await keepPictures(page, name);
  expect(browser.complaints).toEqual([]);
}

it('makes a policy with every rule, its refusals at their fields, its calendar as one types', async () => {
  await go(`${vaultAddress}?tab=policies`);
  await page.getByRole('link', { name: 'Add', exact: true }).click();
  await heading('Create policy').waitFor();
  await days().getByText('3 backups').or(days().getByText('4 backups')).first().waitFor();

  await page.getByLabel('Duration').fill('2');
  await page.getByLabel(/^Retain instant recovery/).fill('18');
  await page.getByLabel('Time zone').fill('Middle Earth');
  await page.getByText('"Middle Earth" is no time zone', { exact: false }).waitFor();
  await page.getByText('once the fields that are marked are right').waitFor();
  const marked = page.locator('input[aria-invalid="true"]');
  await expect.poll(() => marked.count()).toBe(2);
  await checkPage('policy-new-refused');

  await page.getByLabel('Policy name').fill('Long-term');
  await page.getByLabel('Frequency').selectOption('Daily');
  await page.getByLabel(/^Time$/).fill('02:30');
  await page.getByLabel('Time zone').fill('W. Europe Standard Time');
  await page.getByLabel(/^Retain instant recovery/).fill('5');
  await page.getByLabel('Consistency type').selectOption({ label: 'Only crash consistent snapshot' });
  await page.getByLabel('Retention of weekly backup points').check();
  await page.getByLabel('Retention of monthly backup points').check();
  await page.getByRole('radio', { name: 'Day' }).check();
  await page.getByRole('group', { name: 'Days of the monthly points' }).getByText('15').click();
  await page.getByLabel('Retention of yearly backup points').check();
  await days().getByText('Monthly').first().waitFor();
  await days().getByText('Weekly').first().waitFor();
  await expect.poll(() => marked.count()).toBe(0);
  await checkPage('policy-new');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await heading('Long-term').waitFor();
  await page.getByText('Day 1, 15').waitFor();
  await days().getByText('Monthly').first().waitFor();
  await checkPage('policy');

  // One that is there already is not replaced, and what was typed stays.
  await page.getByRole('link', { name: 'Create another like it' }).click();
  await page.getByLabel('Policy name').fill('Long-term');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByText('PreconditionFailed').waitFor();
  expect(await page.getByLabel('Time', { exact: true }).inputValue()).toBe('02:30');
  expect(await page.getByLabel('Policy name').inputValue()).toBe('Long-term');
});

it('loses the edit of neither of two editors', async () => {
  const edit = `${vaultAddress}/policies/Long-term/edit`;
  await go(edit);
  const daily = page.getByLabel('Daily backup points are kept for');
  await daily.fill('100');
  const other = await page.context().newPage();
  await other.goto(`${endpoint}/portal${edit}`);
  await other.getByLabel('Weekly backup points are kept for').fill('33');
  await other.getByRole('button', { name: 'Save' }).click();
  await heading('Long-term', other).waitFor();
  await other.close();

  await page.getByRole('button', { name: 'Save' }).click();
  const conflict = page.getByText('Somebody else has saved this policy meanwhile.');
  await conflict.waitFor();
  await page.getByText(/12 weeks.* → .*33 weeks/).waitFor();
  expect(await daily.inputValue()).toBe('100');
  await checkPage('policy-conflict');
  await page.getByRole('button', { name: 'Take theirs' }).click();
  await conflict.waitFor({ state: 'detached' });
  expect(await daily.inputValue()).toBe('30');
  expect(await page.getByLabel('Weekly backup points are kept for').inputValue()).toBe('33');
  await daily.fill('101');
  await page.getByRole('button', { name: 'Save' }).click();
  await heading('Long-term').waitFor();
  await page.getByText(/101 days, 33 weeks/).waitFor();
});

it('shows what an edit does to the items under a policy, and who they are', async () => {
  const { policy_name: name } = await server.estate.item();
  await go(`${vaultAddress}/policies/${name}`);
  await page.getByRole('tab', { name: 'Associated items' }).click();
  await page.getByRole('link', { name: 'web' }).waitFor();
  await checkPage('policy-items');
  await page.getByRole('link', { name: 'Modify' }).click();
  const effect = page.getByRole('region', { name: 'Effect by item' });
  await effect.getByRole('link', { name: 'web' }).waitFor();
  await page.getByLabel('Daily backup points are kept for').fill('60');
  await effect.getByText('Follows').waitFor();
  await checkPage('policy-edit');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/^60 days/).waitFor();
  await page.getByRole('button', { name: /^Notifications/ }).click();
  await page.getByText('All items follow it.').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('ResourceInUse').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();

  await go(`${vaultAddress}/policies/Long-term`);
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('tab', { name: 'Backup policies', selected: true }).waitFor();
  await page.getByRole('link', { name: 'Long-term' }).waitFor({ state: 'detached' });
});

it('leads VMs to crash-consistent backup by either way, and names those that cannot follow', async () => {
  const { estate } = server;
  const { db } = estate.workshop;
  const address = `${vaultAddress}/policies/EnhancedPolicy/crash-consistent`;
  // Two more VMs; one has disks that no crash-consistent backup can be made of.
  await insertPolicy(db, estate.vault.vault_id, enhancedPolicy);
  await updateItem(db, estate.itemId, underPolicy(enhancedPolicy, estate.now));
  for (const name of ['api', 'db']) {
    const vmUuid = estate.host.addMachine(name, { vda: 4096 });
    await insertItem(db, { ...(await estate.item()), item_id: name, vm_uuid: vmUuid, vm_name: name });
  }
  const { getMachine } = estate.host;
  estate.host.getMachine = async (...args) => {
    const machine = await getMachine(...args);
    if (machine.name !== 'db') return machine;
    return { ...machine, disks: machine.disks.map((disk) => ({ ...disk, cache: 'unsafe' })) };
  };

  // Option 1: only api gets another policy like this one.
  await go(`${vaultAddress}/policies/EnhancedPolicy`);
  await page.getByRole('link', { name: 'Move to crash-consistent backup' }).click();
  const able = page.getByRole('region', { name: 'VMs to move' });
  await able.getByText("Can't follow").waitFor();
  expect(await able.getByLabel('db').isDisabled()).toBe(true);
  await able.getByLabel('web').uncheck();
  await checkPage('policy-move');
  await page.getByRole('button', { name: 'Create policy and move 1 VM' }).click();
  await able.getByLabel('api').waitFor({ state: 'detached' });
  await expect
    .poll(async () => (await getItem(db, 'api')).policy_name, { timeout: 30_000 })
    .toBe('EnhancedPolicy-crash');

  // Option 2: the policy is edited, db stays behind, the policy is put back.
  await page.getByLabel('Edit this policy, for all VMs under it').check();
  await page.getByText("db can't follow.").waitFor();
  await page.getByRole('button', { name: 'Update policy' }).click();
  await page.getByRole('button', { name: 'Try again' }).waitFor();
  await page.getByText('Put the policy back; or', { exact: false }).waitFor();
  await checkPage('policy-moved');
  await page.getByRole('button', { name: /^Notifications/ }).click();
  await page.getByText(/Could not follow: db: /).waitFor();
  await page.keyboard.press('Escape');
  // With db under another policy, the next try reaches everybody who is left.
  await updateItem(db, 'db', underPolicy(defaultPolicy, estate.now));
  await go(address);
  await page.getByText('EnhancedPolicy makes only crash-consistent backups.').waitFor();
  await page.getByRole('button', { name: 'Put the policy back' }).click();
  await page.getByRole('button', { name: 'Update policy' }).waitFor();
});
