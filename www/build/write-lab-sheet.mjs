// Writes docs/LAB.md from the words of the page's lab sheet.
import { writeFileSync } from 'node:fs';
import { runnerImport } from 'vite';

const { module } = await runnerImport(new URL('lab-sheet.ts', import.meta.url).pathname);
writeFileSync(new URL('../../docs/LAB.md', import.meta.url), module.labSheet());
