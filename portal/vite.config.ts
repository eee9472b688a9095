import { resolve } from 'node:path';
import { defineConfig } from 'vite';

/** `vite dev portal` shows the pages of a service that runs on this machine; see docs/portal.md. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/portal/',
  html: { cspNonce: '__NONCE__' },
  build: {
    outDir: resolve(import.meta.dirname, 'dist'),
    emptyOutDir: true,
    // A style or an image inside the document would need an exception in its security policy.
    assetsInlineLimit: 0,
    target: 'es2023',
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      // Packages mark what runs in browsers alone, thousands of times; there is nothing else here.
      onLog(level, log, show) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') show(level, log);
      },
    },
  },
  server: {
    proxy: {
      '^/(?!portal)': { target: 'https://127.0.0.1:8443', secure: false, changeOrigin: false },
    },
  },
});
