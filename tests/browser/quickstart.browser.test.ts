import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, type LabGuest, startLab } from '../lab/index.ts';
import { commandLine } from '../support/command-line.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { until } from '../support/until.ts';
import { builtPortal, expectAccessible, keepPictures, startBrowser, type TestBrowser } from './browser.ts';

/** Azure's quickstart, from its first step to its last, in a browser, on the service as it runs and a real guest. */

const vm = 'walk-web';
/** A guest without hardware virtualization takes its time. */
const patience = { timeout: 150_000 };

let lab: Lab;
let guest: LabGuest;
let service: ServiceProcess;
let browser: TestBrowser;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  await builtPortal();
  lab = started.use(await startLab());
  guest = await lab.makeGuest({
    name: vm,
    disks: [{ target: 'vda', format: 'qcow2', sizeBytes: 256 * 2 ** 20 }],
    state: 'running',
  });
  await guest.waitForAgent();
  const home = join(lab.dir, 'home');
  service = started.use(await startServiceProcess(home));
  const overlays = join(lab.dir, 'disks');
  await commandLine(home).json('host', 'add', 'lab', '--uri', lab.uri, '--overlay-directory', overlays);
  browser = started.use(await startBrowser());
});
afterAll(async () => {
  await started[Symbol.asyncDispose]();
  expect(await lab.leftovers()).toEqual([]);
});

it('leads from the printed link to a first recovery point', async () => {
  const linkOf = () => /https:\/\/\S+\/first-run\?code=\S+/.exec(service.log())?.[0];
  await until('the link is printed', async () => linkOf() !== undefined);
  const page = await (await browser.newContext()).newPage();
  const main = page.locator('#main');

  await page.goto(linkOf() ?? '');
  await page.getByLabel('User name').fill('ada');
  await page.getByLabel(/^Password/).fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: 'Go on to the portal' }).click();
  await page.getByRole('heading', { name: /^Found 1 virtual machine/ }).waitFor();
  await keepPictures(page, 'quickstart-found');

  await main.getByRole('link', { name: 'Create a vault' }).click();
  await page.getByLabel('Vault name').fill('Main');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByLabel(/I have kept/).check();
  await page.getByRole('link', { name: 'Choose what to protect' }).click();

  await main.getByRole('link', { name: vm }).click();
  await main.getByRole('button', { name: 'Enable backup' }).click();
  await main.getByRole('link', { name: `Main / ${vm}` }).click(patience);

  await page.getByRole('button', { name: 'Backup now' }).click();
  await page.getByRole('button', { name: 'OK' }).click();
  await page.getByRole('button', { name: /^Notifications/ }).click();
  await page.getByRole('link', { name: 'Show the job' }).first().click();
  const task = (name: string) => main.getByRole('row', { name: new RegExp(`^${name} Completed`) });
  await task('Take Snapshot').waitFor(patience);
  await task('Transfer data to vault').waitFor(patience);
  await expectAccessible(page);
  await keepPictures(page, 'quickstart-job');

  await page.getByRole('link', { name: 'Backup items' }).first().click();
  await main.getByRole('link', { name: vm }).click();
  await main.getByRole('row', { name: /File-system consistent|Application consistent/ }).waitFor(patience);
  await keepPictures(page, 'quickstart-item');
  expect(browser.complaints).toEqual([]);
});
