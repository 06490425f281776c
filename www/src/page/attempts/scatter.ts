import { svg } from '../dom.ts';
import { scaleOver } from './scale.ts';
import { WORDS } from './words.ts';

/** A point of the chart. */
export interface Point {
  /** Number of the attempt; absent for the dense model. */
  id: number | undefined;
  kind: 'dense' | 'structured' | 'plan' | 'sparse' | 'low_rank';
  x: number;
  y: number;
  /** What a screen reader says. */
  label: string;
}

export interface Axis {
  title: string;
  lower: boolean;
  tick: (value: number) => string;
}

/** Room around the field, in pixels. */
const EDGE = { left: 64, right: 24, top: 28, bottom: 46 };

/** Half the size of a mark, in pixels. */
const MARK = 7;

/** A chart of points, `width` by `height` pixels; its points are buttons in the order of `points`, each a `g` with its number as data. */
export function drawScatter(
  points: readonly Point[],
  across: Axis,
  up: Axis,
  label: string,
  width: number,
  height: number,
): SVGElement {
  const [right, bottom] = [width - EDGE.right, height - EDGE.bottom];
  const x = scaleOver(
    points.map((point) => point.x),
    EDGE.left + 12,
    right - 12,
    width < 520 ? 3 : 6,
  );
  const y = scaleOver(
    points.map((point) => point.y),
    bottom - 12,
    EDGE.top + 12,
    5,
  );
  const grid = [
    ...y.ticks.flatMap((tick) => [
      svg('line', { x1: EDGE.left, x2: right, y1: y.place(tick), y2: y.place(tick), class: 'grid' }),
      svg('text', { x: EDGE.left - 8, y: y.place(tick) + 4, class: 'tick end' }, up.tick(tick)),
    ]),
    ...x.ticks.flatMap((tick) => [
      svg('line', { x1: x.place(tick), x2: x.place(tick), y1: EDGE.top, y2: bottom, class: 'grid' }),
      svg('text', { x: x.place(tick), y: bottom + 18, class: 'tick middle' }, across.tick(tick)),
    ]),
    svg('text', { x: 0, y: 14, class: 'axis' }, `${up.lower ? '↓' : '↑'} ${up.title}`),
    svg('text', { x: right, y: height - 8, class: 'axis end' }, `${across.title} ${across.lower ? '←' : '→'}`),
  ];
  const joined = front(points, across.lower, up.lower).map((point) => `${x.place(point.x)},${y.place(point.y)}`);
  const places = points.map((point) => ({ x: x.place(point.x), y: y.place(point.y) }));
  const marks = points.map((point, index) => {
    const place = places[index] ?? { x: 0, y: 0 };
    // Of two marks that touch, one has its number below.
    const below = places.slice(0, index).some((one) => Math.hypot(one.x - place.x, one.y - place.y) < 3 * MARK);
    return mark(point, index, place, below, place.x > right - 60);
  });
  return svg(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': label, class: 'scatter' },
    svg('g', { 'aria-hidden': 'true' }, ...grid),
    joined.length > 1 ? svg('polyline', { points: joined.join(' '), class: 'front' }) : null,
    ...marks,
  );
}

/** Points that no other one beats in both directions, from left to right. */
export function front<P extends { x: number; y: number }>(points: readonly P[], lowerX: boolean, lowerY: boolean): P[] {
  const no = (one: number, other: number, lower: boolean) => (lower ? one <= other : one >= other);
  const beats = (one: P, other: P) =>
    no(one.x, other.x, lowerX) && no(one.y, other.y, lowerY) && (one.x !== other.x || one.y !== other.y);
  return points.filter((point) => !points.some((other) => beats(other, point))).toSorted((a, b) => a.x - b.x);
}

/** A mark by kind, with the attempt's number beside it, and around it what a finger hits. */
function mark(
  { kind, id, label }: Point,
  index: number,
  { x, y }: { x: number; y: number },
  below: boolean,
  before: boolean,
): SVGElement {
  const number = {
    x: before ? -MARK - 5 : MARK + 5,
    y: below ? 2 * MARK + 4 : -MARK,
    class: before ? 'number end' : 'number',
    'aria-hidden': 'true',
  };
  return svg(
    'g',
    {
      transform: `translate(${x} ${y})`,
      class: `point ${kind}`,
      role: id === undefined ? 'img' : 'button',
      'aria-label': label,
      'data-index': index,
      'data-testid': 'chart-point',
      'data-attempt': id ?? 'dense',
    },
    svg('circle', { r: 18, class: 'reach' }),
    svg('circle', { r: MARK + 5, class: 'ring' }),
    shape(kind),
    svg('text', number, id === undefined ? WORDS.denseMark : String(id)),
  );
}

/** Kinds differ in shape, not in colour alone. */
function shape(kind: Point['kind']): SVGElement {
  switch (kind) {
    case 'sparse':
      return svg('rect', { x: -MARK + 1, y: -MARK + 1, width: 2 * MARK - 2, height: 2 * MARK - 2, class: 'mark' });
    case 'low_rank':
      return svg('path', { d: `M0 ${-MARK - 1}L${MARK + 1} 0L0 ${MARK + 1}L${-MARK - 1} 0Z`, class: 'mark' });
    default:
      return svg('circle', { r: kind === 'dense' ? MARK - 1 : MARK, class: 'mark' });
  }
}
