import { demos } from '../../demos.ts';
import type { Walking } from '../walk.ts';
import { WORDS as PAGE } from '../../words.ts';
import { WORDS } from '../words.ts';
import { action, say } from './parts.ts';

const { model: words } = WORDS.steps;

/** Which model is open; where none is, demos to open. */
export function model({ subject }: Walking): Node[] {
  if (!subject) {
    const buttons = demos.map(({ id }) =>
      action(
        PAGE.model.demos[id],
        `walk-demo-${id}`,
        () => {
          // The page's own button, so that nothing happens here that a person could not do there.
          document.querySelector<HTMLElement>(`[data-testid="demo-${id}"]`)?.click();
        },
        false,
      ),
    );
    const list = document.createElement('p');
    list.className = 'row';
    list.append(...buttons);
    return [say(words.none), list];
  }
  const { name, inspection } = subject;
  return [
    say(words.open(name, inspection.layers.length, inspection.parameters)),
    say(words.share(inspection.linear_parameters / inspection.parameters)),
    say(words.rest),
  ];
}
