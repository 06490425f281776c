import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { LAB, type Sheet } from '../src/page/learn/lab/words.ts';

/** docs/LAB.md: the lab sheet of the page, to print or to read without it. */
export function labSheet(): string {
  const { sheet: words } = LAB;
  const sheets: Sheet[] = Object.values(LAB.exercises);
  const exercises = sheets.map(({ title, aim, steps, questions }, place) => {
    const asked = Object.values(questions).map(({ ask, unit, options }, at) => {
      const answers = (options ?? []).map((option) => `   - [ ] ${option}`);
      return [`${at + 1}. ${ask}${unit === undefined ? '' : ` ${words.answerIn(unit)}`}`, ...answers].join('\n');
    });
    const todo = steps.map((step, at) => `${at + 1}. ${step}`);
    return [
      `## ${place + 1}. ${title}`,
      aim,
      `### ${words.steps}`,
      todo.join('\n'),
      `### ${words.questions}`,
      ...asked,
    ];
  });
  const rules = sheets.map(({ title, questions }, place) =>
    [`${place + 1}. ${title}`, ...Object.values(questions).map(({ rule }, at) => `   ${at + 1}. ${rule}`)].join('\n'),
  );
  const blocks = [`# ${LAB.title}`, LAB.intro, LAB.sets, words.note, ...exercises.flat()];
  return `${[...blocks, `## ${words.rules}`, words.rulesIntro, rules.join('\n')].join('\n\n')}\n`;
}

/** Fails the build where docs/LAB.md is not the sheet that the page shows. */
export function labSheetCheck(path: string): Plugin {
  return {
    name: 'coppice:lab-sheet',
    buildStart() {
      if (readFileSync(path, 'utf8') !== labSheet())
        this.error('docs/LAB.md is not the lab sheet of the page; run `npm run lab` in www.');
    },
  };
}
