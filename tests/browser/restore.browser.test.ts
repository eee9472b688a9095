import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newFirstRunCode } from '../../src/access/index.ts';
import { startBackup } from '../../src/jobs/index.ts';
import { type ApiServer, createApiServer } from '../support/api-server.ts';
import { until } from '../support/until.ts';
import { builtPortal, expectAccessible, keepPictures, startBrowser, type TestBrowser } from './browser.ts';

/** The restore wizard, over a service with a machine of byte arrays: all three kinds, refusals, and what is kept meanwhile. */

let server: ApiServer;
let browser: TestBrowser;
let page: Page;
let endpoint: string;

beforeAll(async () => {
  server = await createApiServer({ portal: await builtPortal() });
  const { workshop } = server.estate;
  await server.estate.settled(await startBackup(workshop, await server.estate.item(), { onDemand: {} }));
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
const button = (name: string) => main().getByRole('button', { name, exact: true });
const passed = () => main().getByText('Validation passed.');

async function checkPage(name: string): Promise<void> {
  await expectAccessible(page);
  await keepPictures(page, name);
  expect(browser.complaints).toEqual([]);
}

/** From the item's page to the wizard's second step. */
async function configure(): Promise<void> {
  await page.goto(`${endpoint}/portal/items`);
  await main().getByRole('link', { name: 'web' }).click();
  await main().getByRole('link', { name: 'Restore VM' }).click();
  await main().getByRole('radio').first().waitFor();
  await button('Next: Restore configuration').click();
  await main().getByLabel('Restore configuration').waitFor();
}

/** The job that the wizard has gone to is there, and ends. */
async function jobEnds(): Promise<void> {
  await page.getByRole('heading', { level: 1, name: 'Restore: web' }).waitFor();
  await server.estate.idle();
  await main().getByText('Completed', { exact: true }).first().waitFor();
}

it('restores a new VM, says what is missing, and keeps what was typed over Back', async () => {
  await page.goto(`${endpoint}/portal/items`);
  await main().getByRole('link', { name: 'web' }).click();
  await main().getByRole('link', { name: 'Restore VM' }).click();
  await main().getByRole('radio').first().waitFor();
  await checkPage('restore-point');
  await button('Next: Restore configuration').click();
  await button('Next: Review + restore').click();
  await main().getByText('Name the new virtual machine.').waitFor();
  await checkPage('restore-target');
  await main().getByLabel('Virtual machine name').fill('web');
  await main().getByRole('textbox', { name: 'Directory' }).fill(join(server.directory, 'restored'));
  await button('Next: Review + restore').click();

  // There is a VM of that name: the service says so before anything is started.
  await main().getByText('UserErrorTargetVmExists').waitFor();
  await checkPage('restore-refused');
  expect(await button('Restore').isDisabled()).toBe(true);
  await page.goBack();
  expect(await main().getByRole('textbox', { name: 'Directory' }).inputValue()).toBe(
    join(server.directory, 'restored'),
  );
  await main().getByLabel('Virtual machine name').fill('web-again');
  await button('Next: Review + restore').click();
  await passed().waitFor();
  await checkPage('restore-review');
  await button('Restore').click();
  await jobEnds();
  expect((await server.estate.host.listMachines()).map(({ name }) => name)).toContain('web-again');
});

it('restores one disk from the link of a point, after the network was away', async () => {
  await page.goto(`${endpoint}/portal/items`);
  await main().getByRole('link', { name: 'web' }).click();
  await main().getByRole('link', { name: 'Restore', exact: true }).first().click();
  await main()
    .getByRole('radio', { name: /Create new: disks/ })
    .check();
  const directory = join(server.directory, 'restored', 'disks');
  await main().getByRole('textbox', { name: 'Directory' }).fill(directory);
  await main().getByLabel(/^vdb/).uncheck();
  await main().getByLabel('Restore from').selectOption('vault');
  await page.context().setOffline(true);
  await button('Next: Review + restore').click();
  // Whatever else is on the page may be asked for meanwhile, too.
  const away = main().getByRole('alert').filter({ hasText: 'The restore could not be validated' });
  await away.getByText('ServiceUnreachable').waitFor();
  await page.context().setOffline(false);
  await button('Validate again').click();
  await passed().waitFor();
  await button('Restore').click();
  await jobEnds();
  const images = (await readdir(directory)).filter((name) => name.endsWith('.raw'));
  expect(images).toEqual([expect.stringMatching(/-vda\.raw$/)]);
});

it('replaces the disks of the VM, once it is off and its name is typed', async () => {
  const { host, vmUuid } = server.estate;
  await configure();
  await main()
    .getByRole('radio', { name: /Replace existing/ })
    .check();
  await button('Next: Review + restore').click();
  await main().getByText('Type web: its disks are replaced.').waitFor();
  await checkPage('restore-replace');
  await main()
    .getByLabel(/Type the name of the VM/)
    .fill('web');
  await button('Next: Review + restore').click();
  await main().getByText('UserErrorVmNotShutDown').waitFor();

  host.write(vmUuid, 'vda', 0, new Uint8Array([1, 2, 3]));
  await host.stopMachine(vmUuid, { force: true });
  await button('Validate again').click();
  await passed().waitFor();
  await button('Restore').click();
  await jobEnds();
  await until('the disk is as it was', async () => host.contentOf(vmUuid, 'vda')[0] === 0);
});
