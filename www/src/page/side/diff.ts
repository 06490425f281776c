import { diffArrays } from 'diff';

/** A stretch of a text, and whether the other text lacks it at this place. */
export interface Stretch {
  text: string;
  differs: boolean;
}

/** Both texts cut into stretches, by the longest common subsequence of their words; `words` counts those that differ. */
export function diffWords(
  before: string,
  after: string,
): { before: Stretch[]; after: Stretch[]; words: [number, number] } {
  const [one, other]: [Stretch[], Stretch[]] = [[], []];
  const words: [number, number] = [0, 0];
  for (const { value, added, removed } of diffArrays(cut(before), cut(after))) {
    const text = value.join('');
    if (!added) push(one, text, removed);
    if (!removed) push(other, text, added);
    if (removed) words[0] += value.length;
    if (added) words[1] += value.length;
  }
  return { before: one, after: other, words };
}

/** Words with the white space before them, so that joined they are the text. */
function cut(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

/** Appends a stretch; white space before it is not marked. */
function push(stretches: Stretch[], text: string, differs: boolean): void {
  const space = differs ? (/^\s*/.exec(text)?.[0] ?? '') : '';
  if (space !== '') stretches.push({ text: space, differs: false });
  if (text.length > space.length) stretches.push({ text: text.slice(space.length), differs });
}
