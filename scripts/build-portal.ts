/**
 * Builds the portal into portal/dist, if what is there is not made from the sources as they are now. `--force` builds in any
 * case. The service that is running keeps the pages it has read.
 */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const root = resolve(import.meta.dirname, '..');
const portal = join(root, 'portal');
const dist = join(portal, 'dist');
const stamp = 'built-from';

/** What the pages are made of, beside their own folder: the typed client with its shapes, and the packages. */
const sources = [
  'portal/src/**/*',
  'portal/public/**/*',
  'portal/*.{html,json,ts}',
  'src/api/client/**/*.ts',
  'src/errors/*.ts',
  'package-lock.json',
  'scripts/build-portal.ts',
];

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const files = sources
    .flatMap((pattern) => globSync(pattern, { cwd: root, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) {
    const content = await readFile(file);
    hash.update(`${file.slice(root.length)} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** Beside each text, what browsers get of it; once now instead of at each request. */
async function compressIn(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(js|css|svg|json)$/.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    const text = await readFile(file);
    const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
    await writeFile(`${file}.br`, await promisify(brotliCompress)(text, options));
    await writeFile(`${file}.gz`, await promisify(gzip)(text, { level: 9 }));
  }
}

const wanted = await digestOfSources();
const found = await readFile(join(dist, stamp), 'utf8').catch(() => '');
if (found !== wanted || process.argv.includes('--force')) {
  // Made aside: nobody ever reads half a build.
  const { build } = await import('vite');
  const aside = join(portal, `dist.${process.pid}`);
  try {
    await build({
      configFile: join(portal, 'vite.config.ts'),
      logLevel: 'warn',
      build: { outDir: aside },
    });
    await compressIn(aside);
    await writeFile(join(aside, stamp), wanted);
    await rm(dist, { recursive: true, force: true });
    await rename(aside, dist);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  console.log('built the portal');
}
