import { spread } from '../../format.ts';
import { sharesKeys } from '../../kind.ts';
import { unitSizes } from '../facts.ts';
import type { Walking } from '../walk.ts';
import { WORDS } from '../words.ts';
import { say } from './parts.ts';

const { units: words } = WORDS.steps;

/** What can go. */
export function units({ subject }: Walking): Node[] {
  if (!subject) return [say(words.none)];
  const { inspection } = subject;
  const sizes = unitSizes(inspection);
  const of = (kind: 'heads' | 'neurons') => spread(inspection.layers.map((layer) => layer[kind]));
  return [
    say(words.what),
    say(words.widths(of('heads'), of('neurons'), sharesKeys(inspection))),
    sizes
      ? say(`${words.neuron(sizes.neuron)} ${words.head(sizes.head, sizes.head / sizes.neuron)}`)
      : say(words.unsized),
  ];
}
