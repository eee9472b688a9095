import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newFirstRunCode } from '../../src/access/index.ts';
import { insertAlert } from '../../src/catalog/index.ts';
import { startBackup } from '../../src/jobs/index.ts';
import { type ApiServer, createApiServer } from '../support/api-server.ts';
import { until } from '../support/until.ts';
import { builtPortal, expectAccessible, keepPictures, startBrowser, type TestBrowser } from './browser.ts';

/** The pages, over a service with a machine of byte arrays: what they show, and how they meet what goes wrong. */

let server: ApiServer;
let browser: TestBrowser;
let page: Page;
let endpoint: string;

const password = 'correct horse battery';

beforeAll(async () => {
  server = await createApiServer({ portal: await builtPortal() });
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  browser = await startBrowser();
  page = await (await browser.newContext()).newPage();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const go = (path: string) => page.goto(`${endpoint}/portal${path}`);
const heading = (name: string | RegExp) => page.getByRole('heading', { level: 1, name });
const main = () => page.locator('#main');

async function checkPage(name: string): Promise<void> {
  await expectAccessible(page);
  await keepPictures(page, name);
  expect(browser.complaints).toEqual([]);
}

it('lets the first person in by the printed link, and on to the overview', async () => {
  await go('/jobs');
  await heading('Holdfast').waitFor();
  await checkPage('sign-in');

  const { db, clock } = server.estate.workshop;
  const code = await newFirstRunCode(db, clock.now().epochMilliseconds);
  await page.goto(`${endpoint}/holdfast/first-run?code=${code}`);
  await page.getByLabel('User name').fill('ada');
  await page.getByLabel(/^Password/).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Go on to the portal' }).click();
  await heading('Overview').waitFor();
  await main().getByRole('group', { name: 'Virtual machines' }).waitFor();
  await checkPage('overview');
});

it('shows its first view with less than 400 KiB of script', async () => {
  await go('/');
  await main().getByRole('group', { name: 'Virtual machines' }).waitFor();
  const bytes: unknown = await page.evaluate(
    "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.js')).reduce((sum, e) => sum + e.encodedBodySize, 0)",
  );
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(400 * 1024);
});

it('shows the VMs and one of them', async () => {
  await page.getByRole('link', { name: 'Virtual machines' }).first().click();
  await main().getByRole('link', { name: 'web' }).waitFor();
  await checkPage('machines');
  await main().getByRole('link', { name: 'web' }).click();
  await page.getByRole('heading', { name: 'Disks' }).waitFor();
  await checkPage('machine');
});

it('makes a vault, and shows its recovery key once', async () => {
  await go('/vaults/new');
  await page.getByLabel('Vault name').fill('-');
  await page.getByText(/name/i).and(page.getByRole('alert')).first().waitFor();
  await page.getByLabel('Vault name').fill('Second');
  await checkPage('new-vault');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByTestId('recovery-key').waitFor();
  await checkPage('vault-created');
  await page.getByLabel(/I have kept/).check();
  await page.getByRole('link', { name: 'Go to the vault' }).click();
  await heading('Second').waitFor();
  await checkPage('vault');
  for (const tab of ['Backup items', 'Backup policies', 'Backup jobs', 'Properties']) {
    await page.getByRole('tab', { name: tab }).click();
    await expect.poll(() => page.url()).toContain('tab=');
    await page.getByRole('tabpanel').or(main()).first().waitFor();
    await checkPage(`vault-${tab.toLowerCase().replace(' ', '-')}`);
  }
  await page.getByRole('link', { name: 'Vaults', exact: true }).first().click();
  await main().getByRole('link', { name: 'Second' }).waitFor();
  await checkPage('vaults');
});

it('backs up an item, and shows its job live and its point', async () => {
  await go('/items');
  await main().getByRole('link', { name: 'web' }).waitFor();
  await checkPage('items');
  await main().getByRole('link', { name: 'web' }).click();
  await page.getByRole('button', { name: 'Backup now' }).click();
  await page.getByLabel('Retain backup till').waitFor();
  await checkPage('backup-now');
  await page.getByRole('button', { name: 'OK' }).click();
  await main().getByRole('cell', { name: 'Vault-Standard' }).first().waitFor();
  await checkPage('item');

  await page.getByRole('button', { name: /^Notifications/ }).click();
  await page.getByRole('link', { name: 'Show the job' }).waitFor();
  // What is laid over the page hides no more of it than it covers.
  const atName: unknown = await page.evaluate('document.elementFromPoint(90, 20)?.textContent');
  expect(atName).toBe('Holdfast');
  await checkPage('notifications');
  await page.getByRole('link', { name: 'Show the job' }).click();
  await heading('Backup: web').waitFor();
  await main().getByText('Transfer data to vault').waitFor();
  await checkPage('job');
});

it('lists jobs, filtered by the service, with the filter in the address', async () => {
  await page.getByRole('link', { name: 'Jobs' }).first().click();
  await main()
    .getByRole('row', { name: /Backup/ })
    .first()
    .waitFor();
  await checkPage('jobs');
  await page.getByLabel('Status').selectOption('Failed');
  await page.getByRole('heading', { name: 'No jobs' }).waitFor();
  expect(page.url()).toContain('status=Failed');
  await checkPage('jobs-none');
  await page.reload();
  await page.getByRole('heading', { name: 'No jobs' }).waitFor();
});

it('shows a change without being asked', async () => {
  await go('/jobs?operation=Backup');
  const rows = main().getByRole('row', { name: /Backup/ });
  await rows.first().waitFor();
  const before = await rows.count();
  const { workshop } = server.estate;
  await server.estate.settled(await startBackup(workshop, await server.estate.item(), { onDemand: {} }));
  await until('the new job is shown', async () => (await rows.count()) > before);
});

it('shows the hosts, and pages that are not there', async () => {
  await page.getByRole('link', { name: 'Hosts' }).first().click();
  await heading('Hosts').waitFor();
  await checkPage('hosts');
  await go('/nowhere');
  await heading('There is no such page').waitFor();
  await checkPage('nowhere');
});

it('asks for the password when the session has ended, and loses nothing', async () => {
  await go('/vaults/new');
  await page.getByLabel('Vault name').waitFor();
  await server.estate.workshop.db.deleteFrom('sessions').execute();
  // Whether the name is free is asked as one types: that is refused, and waits.
  await page.getByLabel('Vault name').fill('Kept');
  const dialog = page.getByRole('alertdialog', { name: 'Your session has ended' });
  await dialog.waitFor();
  await checkPage('session-ended');
  await dialog.getByLabel('Password').fill('wrong');
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.getByText('SignInFailed').waitFor();
  await dialog.getByLabel('Password').fill(password);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'detached' });
  expect(await page.getByLabel('Vault name').inputValue()).toBe('Kept');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByTestId('recovery-key').waitFor();
  await heading('Vault Kept').waitFor();
});

it('says what the service refuses, and keeps what was typed', async () => {
  await page.getByLabel(/I have kept/).check();
  await go('/vaults/new');
  await page.route('**/vaults/Taken?**', (route) =>
    route.fulfill({
      status: 409,
      contentType: 'application/json',
      body: JSON.stringify({ error: { code: 'Conflict', message: 'Somebody was faster.' } }),
    }),
  );
  await page.getByLabel('Vault name').fill('Taken');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByText('Somebody was faster.').waitFor();
  await checkPage('refused');
  expect(await page.getByLabel('Vault name').inputValue()).toBe('Taken');
});

it('goes on by itself when the network was away', async () => {
  await go('/jobs?period=all');
  await main()
    .getByRole('row', { name: /Backup/ })
    .first()
    .waitFor();
  await page.context().setOffline(true);
  await page.getByLabel('Status').selectOption('Completed');
  await page.getByText('ServiceUnreachable').waitFor();
  await keepPictures(page, 'offline');
  await page.context().setOffline(false);
  await main()
    .getByRole('row', { name: /Backup/ })
    .first()
    .waitFor();
});

it('tells of alerts on the overview and on their page, until they are dismissed', async () => {
  await insertAlert(server.estate.workshop.db, {
    alert_id: 'damage',
    subject: 'damage of v1',
    kind: 'RecoveryPointsDamaged',
    severity: 0,
    vault_id: 'v1',
    host_group: null,
    target: 'Main',
    message: "Recovery points of vault 'Main' are damaged.",
    action: 'Repair its store.',
    fired_at: '2026-11-21T06:00:00.000Z',
    resolved_at: null,
    dismissed_at: null,
    dismissed_by: null,
  });
  await go('/');
  await main().getByText("Recovery points of vault 'Main' are damaged.").waitFor();
  await page.getByRole('link', { name: 'Alerts' }).click();
  await main().getByText('Repair its store.').waitFor();
  await checkPage('alerts');
  await main()
    .getByRole('button', { name: /^Dismiss Damaged/ })
    .click();
  await page.getByRole('dialog').getByRole('button', { name: 'Dismiss' }).click();
  await main().getByText('Repair its store.').waitFor({ state: 'detached' });
  await main().getByRole('switch', { name: 'Also those that are over' }).click();
  await main().getByText('Dismissed').waitFor();
});

it('can be signed out of', async () => {
  await page.getByRole('button', { name: 'ada' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await heading('Holdfast').waitFor();
});
