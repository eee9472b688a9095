import { defineConfig } from 'vitest/config';

/**
 * Six lanes. `fast` needs nothing but Node, nor does `long`, which tries many crashes, kills, mutations and
 * interleavings; `backends` starts servers for S3 and Azure Blob on loopback, which come from npm with the other tools;
 * `postgres` runs tests of `fast` again with the catalog in a scratch PostgreSQL; `browser` walks through the
 * portal with Chromium; `guests` needs libvirt, QEMU and root, boots real guests in a private libvirt session, and therefore runs one file at
 * a time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['src/**/*.test.ts', 'portal/src/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: ['**/*.{long,guest,backend,browser}.test.ts', '**/node_modules/**'],
          // Against tests that hang; a busy machine is no failure.
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'long',
          include: ['src/**/*.long.test.ts', 'tests/**/*.long.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'backends',
          include: ['src/**/*.backend.test.ts', 'tests/**/*.backend.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'postgres',
          // What else holds of the catalog holds here, too: the same tests, on another database.
          include: [
            'src/catalog/**/*.test.ts',
            'src/access/**/*.test.ts',
            'tests/api/access.test.ts',
            'src/jobs/{alerts,backup,configure,engine,restore,retry,scheduler,workers}.test.ts',
            'tests/service/database.test.ts',
          ],
          globalSetup: 'tests/support/postgres-lane.ts',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.browser.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      {
        test: {
          name: 'guests',
          include: ['src/**/*.guest.test.ts', 'tests/**/*.guest.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
