import { createRequire } from 'node:module';

const require = createRequire(new URL('../../www/package.json', import.meta.url));
const puppeteer = require('puppeteer-core');

/** Firefox as the system has it, by WebDriver BiDi; its WebGPU is behind preferences where it is not on by itself. */
export function launch() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.COPPICE_FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    extraPrefsFirefox: {
      'intl.accept_languages': 'en-US, en',
      'dom.webgpu.enabled': true,
      'dom.webgpu.workers.enabled': true,
      'gfx.webgpu.ignore-blocklist': true,
    },
  });
}
