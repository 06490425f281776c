import demos from './demos.json' with { type: 'json' };

/** A model that the site holds, with its texts. */
export type Demo = (typeof demos)[number];

export { demos };
