// How the dashboard is bundled: relative URLs only, no inlined assets, nothing loaded from elsewhere.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds the API: the mock server, or a running taffrail. */
const API = process.env['TAFFRAIL_URL'] ?? 'http://127.0.0.1:8099';

export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: {
    target: 'es2023',
    // A data: URL would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    // Old browsers' preload polyfill; every browser of our target preloads modules itself.
    modulePreload: { polyfill: false },
    // The licences of what is bundled travel in the binary.
    license: { fileName: 'licenses.md' },
  },
  server: { proxy: { '/api': API } },
});
