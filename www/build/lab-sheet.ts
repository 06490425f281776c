import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { type ExerciseName, LAB, type Sheet } from '../src/page/learn/lab/words/en.ts';
import { PAPER, RULES } from '../src/page/learn/lab/words/paper.ts';

/** docs/LAB.md: the lab sheet of the page, to print or to read without it. */
export function labSheet(): string {
  const sheets: Sheet[] = Object.values(LAB.exercises);
  const exercises = sheets.map(({ title, aim, steps, questions }, place) => {
    const asked = Object.values(questions).map(({ ask, unit, options }, at) => {
      const answers = (options ?? []).map((option) => `   - [ ] ${option}`);
      return [`${at + 1}. ${ask}${unit === undefined ? '' : ` ${PAPER.answerIn(unit)}`}`, ...answers].join('\n');
    });
    const todo = steps.map((step, at) => `${at + 1}. ${step}`);
    return [
      `## ${place + 1}. ${title}`,
      aim,
      `### ${PAPER.steps}`,
      todo.join('\n'),
      `### ${PAPER.questions}`,
      ...asked,
    ];
  });
  const rules = (Object.keys(RULES) as ExerciseName[]).map((name, place) => {
    const listed = Object.values(RULES[name]).map((rule, at) => `   ${at + 1}. ${rule}`);
    return [`${place + 1}. ${LAB.exercises[name].title}`, ...listed].join('\n');
  });
  const blocks = [`# ${LAB.title}`, LAB.intro, LAB.sets, PAPER.note, ...exercises.flat()];
  return `${[...blocks, `## ${PAPER.rules}`, PAPER.rulesIntro, rules.join('\n')].join('\n\n')}\n`;
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
