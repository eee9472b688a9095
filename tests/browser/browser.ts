import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { loadPortal, type PortalFiles } from '../../src/api/index.ts';

const root = resolve(import.meta.dirname, '../..');

/** Where Debian and others have it. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Pictures of all pages are kept here, to be looked at. */
const pictures = join(root, '.cache', 'portal-pictures');

/** The portal as it was built. @throws where it was not */
export async function builtPortal(): Promise<PortalFiles> {
  const portal = await loadPortal(join(root, 'portal', 'dist'), { warn() {} });
  if (portal === undefined) throw new Error('The portal is not built: npm run build:portal');
  return portal;
}

/** A browser of our own. What a page writes to its console as an error fails the test that looks at `complaints`. */
export interface TestBrowser extends AsyncDisposable {
  newContext(options?: Parameters<Browser['newContext']>[0]): Promise<BrowserContext>;
  complaints: string[];
}

export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const complaints: string[] = [];
  return {
    complaints,
    async newContext(options) {
      const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        locale: 'en-GB',
        timezoneId: 'Europe/Berlin',
        viewport: { width: 1280, height: 800 },
        // A colour on its way from one to the other has the contrast of neither.
        reducedMotion: 'reduce',
        ...options,
      });
      context.setDefaultTimeout(30_000);
      context.on('weberror', (error) => complaints.push(String(error.error())));
      context.on('console', (message) => {
        // What the service refuses is told by the pages; the browser writes it down, too.
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
          complaints.push(message.text());
      });
      return context;
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** Ends when every transition has: those that end by themselves, within two seconds. */
const settled = `Promise.race([
  Promise.allSettled(
    document.getAnimations()
      .filter((animation) => Number.isFinite(animation.effect?.getComputedTiming().endTime))
      .map((animation) => animation.finished)),
  new Promise((done) => setTimeout(done, 2000)),
]).then(() => undefined)`;

/** Fails where axe-core finds something serious; Fluent's sentinels of the focus are none of its business. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(settled);
  await page.evaluate(axe.source);
  const { violations }: AxeResults = await page.evaluate(
    "axe.run({ exclude: [['[data-tabster-dummy]']] }, { resultTypes: ['violations'] })",
  );
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' | ')}`);
  expect(serious, page.url()).toEqual([]);
}

/** Keeps a picture of the page in both colours. */
export async function keepPictures(page: Page, name: string): Promise<void> {
  await mkdir(pictures, { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(pictures, `${name}.${colorScheme}.png`), animations: 'disabled' });
  }
  await page.emulateMedia({ colorScheme: 'light' });
}
