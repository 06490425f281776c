/** What a menu's choice is called, and what it does. */
export type Named = readonly [title: string, summary: string];

/** Choices of the recipe's menus, as `menu/name`. The core has them in English, so there is nothing to say beside it. */
export const CHOICES: Readonly<Record<string, Named>> = {};
