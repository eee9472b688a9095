import { defineConfig } from 'vitest/config';

/**
 * Two lanes. `fast` needs nothing but Node; `guests` needs libvirt, QEMU and root, boots real guests in a
 * private libvirt session, and therefore runs one file at a time.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: ['**/*.guest.test.ts', '**/node_modules/**'],
          testTimeout: 30_000,
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
