/** The middle one of some numbers; they are sorted by it. */
export const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
