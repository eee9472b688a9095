import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newFirstRunCode } from '../../src/access/index.ts';
import { type ApiServer, createApiServer } from '../support/api-server.ts';
import { builtPortal, expectAccessible, keepPictures, startBrowser, type TestBrowser } from './browser.ts';

/** What is set up rather than done every day: the security and the end of a vault, people, clients, roles, the audit log. */

let server: ApiServer;
let browser: TestBrowser;
let page: Page;
let endpoint: string;

beforeAll(async () => {
  server = await createApiServer({ portal: await builtPortal() });
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  browser = await startBrowser();
  page = await (await browser.newContext()).newPage();
  const { db, clock } = server.estate.workshop;
  const code = await newFirstRunCode(db, clock.now().epochMilliseconds);
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

const go = (path: string) => page.goto(`${endpoint}/portal${path}`);
const main = () => page.locator('#main');
const dialog = () => page.getByRole('dialog');

/** No dialog lies over the page any more, nor hides it from those who hear it. */
const closed = async () => {
  await dialog().waitFor({ state: 'detached' });
  await page.locator('#root:not([aria-hidden])').waitFor();
};

async function checkPage(name: string): Promise<void> {
  await expectAccessible(page);
  await keepPictures(page, name);
  expect(browser.complaints).toEqual([]);
}

it('makes a vault immutable, and locks it only for whoever types its name', async () => {
  await go('/vaults/default/Main?tab=properties');
  await page.getByRole('button', { name: 'Change immutability' }).click();
  expect(
    await dialog()
      .getByRole('radio', { name: /locked/ })
      .isDisabled(),
  ).toBe(true);
  await dialog()
    .getByRole('radio', { name: /switched off again/ })
    .click();
  await dialog().getByRole('button', { name: 'Save' }).click();
  await main().getByText('Enabled, not locked').waitFor();

  await page.getByRole('button', { name: 'Change immutability' }).click();
  await dialog().getByRole('radio', { name: 'Enabled and locked' }).click();
  await dialog().getByText('This can never be undone.').waitFor();
  const lock = dialog().getByRole('button', { name: 'Lock for ever' });
  expect(await lock.isDisabled()).toBe(true);
  await dialog()
    .getByLabel(/Type the name of the vault/)
    .fill('Main');
  await checkPage('vault-lock');
  await lock.click();
  await main().getByText('nobody can ever switch it off').waitFor();
  expect(await page.getByRole('button', { name: 'Immutability is locked' }).isDisabled()).toBe(true);
});

it('keeps what was typed where the service refuses the days of soft delete', async () => {
  await page.getByRole('button', { name: 'Change soft delete' }).click();
  const days = dialog().getByLabel('Days');
  await days.fill('181');
  await days.press('Tab');
  await dialog().getByRole('button', { name: 'Save' }).click();
  await dialog().getByText('InvalidInput').waitFor();
  expect(await days.inputValue()).toBe('181');
  await days.fill('30');
  await days.press('Tab');
  await dialog().getByRole('button', { name: 'Save' }).click();
  await closed();
  await main().getByText('30 days').waitFor();
  await checkPage('vault-security');
});

it('deletes a vault, but none that protects something', async () => {
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog()
    .getByLabel(/Type the name of the vault/)
    .fill('Main');
  await dialog().getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog().getByText('BMSUserErrorVaultDeletionNotAllowed').waitFor();
  await checkPage('vault-delete-refused');
  await dialog().getByRole('button', { name: 'Cancel' }).click();

  await go('/vaults/new');
  await page.getByLabel('Vault name').fill('Gone');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByLabel(/I have kept/).check();
  await page.getByRole('link', { name: 'Go to the vault' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog()
    .getByLabel(/Type the name of the vault/)
    .fill('Gone');
  await dialog().getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Vaults' }).waitFor();
  await main().getByRole('link', { name: 'Main' }).waitFor();
  expect(await main().getByRole('link', { name: 'Gone' }).count()).toBe(0);
});

it('adds users, says what is wrong with a password, and gives and takes roles', async () => {
  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByRole('button', { name: 'User', exact: true }).click();
  await dialog().getByLabel('User name').fill('grace');
  await dialog().getByLabel('Password').fill('short');
  await dialog().getByLabel('Role').selectOption('Operator');
  await dialog().getByRole('option', { name: 'Vault Main' }).waitFor({ state: 'attached' });
  await dialog().getByLabel('Scope').selectOption({ label: 'Vault Main' });
  await dialog().getByRole('button', { name: 'Add' }).click();
  await dialog().getByRole('alert').waitFor();
  await checkPage('people-refused');
  await dialog().getByLabel('Password').fill('correct horse staple');
  await dialog().getByRole('button', { name: 'Add' }).click();
  await closed();
  await main().getByRole('cell', { name: 'grace', exact: true }).waitFor();
  await checkPage('people');

  await page.getByRole('link', { name: 'Role assignments' }).click();
  const granted = main().getByRole('row', { name: /grace \(user\).*Operator.*Vault Main/ });
  await granted.waitFor();
  await page.getByRole('button', { name: 'Role assignment', exact: true }).click();
  await dialog().getByLabel('User or client').selectOption({ label: 'grace (user)' });
  await checkPage('role-new');
  await dialog().getByRole('button', { name: 'Give' }).click();
  await main()
    .getByRole('row', { name: /grace \(user\).*Reader.*Everywhere/ })
    .waitFor();
  await closed();
  await checkPage('roles');
  await granted.getByRole('button', { name: /^Remove Operator/ }).click();
  await dialog().getByRole('button', { name: 'Remove' }).click();
  await granted.waitFor({ state: 'detached' });
});

it('adds a client, and shows its secret once', async () => {
  await page.getByRole('link', { name: 'Clients' }).click();
  await page.getByRole('heading', { name: 'There is no client' }).waitFor();
  await checkPage('clients-none');
  await page.getByRole('button', { name: 'Client', exact: true }).click();
  await dialog().getByLabel('Client name').fill('terraform');
  await dialog().getByRole('button', { name: 'Add' }).click();
  await closed();
  await main().getByText('Client secret').waitFor();
  await checkPage('client-made');
  page.once('dialog', (asked) => void asked.dismiss());
  await page.getByRole('link', { name: 'Users' }).click();
  await main().getByText('Client secret').waitFor();
  await main().getByRole('button', { name: 'I have kept it' }).click();
  await main().getByText('Client secret').waitFor({ state: 'detached' });
  await main().getByRole('button', { name: 'Delete terraform' }).click();
  await dialog().getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('heading', { name: 'There is no client' }).waitFor();
});

it('shows the audit log, filtered by the service, and verifies it', async () => {
  await page.getByRole('link', { name: 'Audit log' }).click();
  await main()
    .getByRole('row', { name: /ada.*clients\/delete/ })
    .first()
    .waitFor();
  await page.getByLabel('Outcome').selectOption('Failed');
  await main()
    .getByRole('row', { name: /vaults\/delete/ })
    .first()
    .waitFor();
  await expect
    .poll(() =>
      main()
        .getByRole('row', { name: /Succeeded/ })
        .count(),
    )
    .toBe(0);
  await page.getByRole('button', { name: 'Verify' }).click();
  await main().getByText('none was changed or taken out').waitFor();
  await checkPage('audit');
  await page.getByLabel('Who').fill('nobody');
  await page.getByRole('heading', { name: 'No lines' }).waitFor();
});
