import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newFirstRunCode } from '../../src/access/index.ts';
import { policiesOfNewVault } from '../../src/protection/index.ts';
import { type ApiServer, createApiServer } from '../support/api-server.ts';
import { builtPortal, expectAccessible, keepPictures, startBrowser, type TestBrowser } from './browser.ts';

/** “Configure protection”, over a service with machines of byte arrays, one of which can't be protected. */

let server: ApiServer;
let browser: TestBrowser;
let page: Page;
let endpoint: string;

beforeAll(async () => {
  server = await createApiServer({ portal: await builtPortal() });
  const { workshop, host } = server.estate;
  await server.estate.addVault('v2', 'Second', policiesOfNewVault);
  for (const name of ['app', 'db', 'mail']) host.addMachine(name, { vda: 65_536 });
  host.addMachine('diskless', {});
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  browser = await startBrowser();
  page = await (await browser.newContext()).newPage();
  const code = await newFirstRunCode(workshop.db, workshop.clock.now().epochMilliseconds);
  await page.goto(`${endpoint}/holdfast/first-run?code=${code}`);
  await page.getByLabel('User name').fill('ada');
  await page.getByLabel(/^Password/).fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Go on to the portal' }).click();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const main = () => page.locator('#main');
const machine = (name: string) => main().getByRole('checkbox', { name, exact: true });
const row = (name: string | RegExp) => main().getByRole('row', { name });
const enable = () => main().getByRole('button', { name: 'Enable backup' });

async function checkPage(name: string): Promise<void> {
  await expectAccessible(page);
  await keepPictures(page, name);
  expect(browser.complaints).toEqual([]);
}

it('protects many VMs at once, each validated, where one that is refused holds up no other', async () => {
  await page.goto(`${endpoint}/portal/vaults/default/Second`);
  await main().getByRole('link', { name: 'Backup', exact: true }).click();
  await machine('app').waitFor();
  // In the other vault already.
  expect(await machine('web').count()).toBe(0);
  expect(await main().getByRole('radio', { name: 'Enhanced' }).isChecked()).toBe(true);
  expect(await enable().isDisabled()).toBe(true);
  await machine('diskless').check();
  await main().getByText('It has no disk.').waitFor();
  await machine('app').check();
  await machine('db').check();
  await row(/^db .*Passed/).waitFor();
  await row(/^app .*Passed/).waitFor();
  expect(await enable().isDisabled()).toBe(true);
  await checkPage('protect');
  await machine('diskless').uncheck();
  await main().getByRole('radio', { name: 'Standard' }).check();
  await main()
    .getByText(/^Every day at 20:00, UTC/)
    .waitFor();

  const puts = /protectedItems\/[^/]*app\?/i;
  await page.route(puts, (route) =>
    route.fulfill({
      status: 409,
      contentType: 'application/json',
      body: JSON.stringify({ error: { code: 'Conflict', message: 'Somebody was faster.' } }),
    }),
  );
  await enable().click();
  await row(/^db Completed/).waitFor();
  await row(/^app Refused/)
    .getByText('Somebody was faster.')
    .waitFor();
  await checkPage('protect-progress');
  await page.unroute(puts);

  await main().getByRole('button', { name: 'Protect more VMs' }).click();
  await machine('db').waitFor({ state: 'detached' });
  await machine('app').check();
  await enable().click();
  await row(/^app Completed/).waitFor();
  await main().getByRole('link', { name: 'Go to the backup items' }).click();
  await main().getByRole('link', { name: 'app' }).waitFor();
  await main()
    .getByRole('row', { name: /DefaultPolicy/ })
    .first()
    .waitFor();
});

it('offers Enhanced policies alone to VMs in an extended zone', async () => {
  await server.estate.workshop.db.updateTable('hosts').set({ zone: 'losangeles' }).execute();
  await page.goto(`${endpoint}/portal/protect?group=default&vault=Second&type=V1`);
  await machine('mail').waitFor();
  await main().getByText('VMs in an extended zone are protected with an Enhanced policy.').waitFor();
  expect(await main().getByRole('radio', { name: 'Standard' }).isDisabled()).toBe(true);
  expect(await main().getByRole('radio', { name: 'Enhanced' }).isChecked()).toBe(true);
  await machine('mail').check();
  await row(/^mail .*Passed/).waitFor();
  await checkPage('protect-zone');
});
