import { createRequire } from 'node:module';

// The packages are the page's; tests lie outside of its folder.
const require = createRequire(new URL('../../www/package.json', import.meta.url));
export const { chromium } = require('playwright-core');
export const { unzipSync } = require('fflate');

const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];

/** The full Chromium, whose headless mode has WebGPU (SwiftShader where the machine has no GPU). */
export function launch({ flags = [], webgpu = true } = {}) {
  if (webgpu) flags = ['--enable-unsafe-webgpu', ...flags];
  return chromium.launch({
    executablePath: process.env.COPPICE_CHROMIUM ?? '/usr/bin/chromium',
    headless: false,
    args: ['--headless=new', ...FLAGS, ...flags],
  });
}

/** The code of axe, which checks a page for what keeps people out. */
export const axe = require('axe-core').source;
