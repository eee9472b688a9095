/** One thing wrong with a document that somebody sent. */
export interface Problem {
  /** Where, as the document names it: `properties.retentionPolicy.dailySchedule.retentionDuration.count`. */
  path: string;
  /** What is wrong. */
  problem: string;
  /** What may stand there. */
  allowed: string;
  /** Why the rule is there. */
  why: string;
}

/** A value of unknown shape and its place in the document; what is wrong with it is added to `problems`. */
export interface Field {
  path: string;
  value: unknown;
  problems: Problem[];
}

/** Notes a problem. Returns undefined, which stands for "nothing readable" in what is read. */
export function refuse(field: Field, problem: string, allowed: string, why: string): undefined {
  field.problems.push({ path: field.path, problem, allowed, why });
}

/** Azure's clients write null for what they leave out. */
export const isAbsent = (field: Field) => field.value === undefined || field.value === null;

/** How a value is quoted in a sentence: short, and never the whole of a large document. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/**
 * The fields of an object. A name that is none of `keys` is a problem of its own: what is not understood is refused,
 * not ignored.
 */
export function fieldsOf<Key extends string>(
  field: Field,
  keys: readonly Key[],
): Record<Key, Field> | undefined {
  const { value, path, problems } = field;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse(
      field,
      isAbsent(field) ? 'it is missing' : `${quote(value)} is no object`,
      'an object',
      shape,
    );
  const known: readonly string[] = keys;
  for (const [name, held] of Object.entries(value)) {
    if (known.includes(name) || held === null) continue;
    refuse(
      { path: `${path}.${name.slice(0, 60)}`, value: held, problems },
      'it is not known here',
      keys.join(', '),
      shape,
    );
  }
  const held = (key: string) =>
    Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  return Object.fromEntries(
    keys.map((key) => [key, { path: `${path}.${key}`, value: held(key), problems }]),
  ) as Record<Key, Field>;
}

const shape = 'The document must have the shape that Azure gives policies of virtual machines.';

/** The elements of a list that must not be empty. Undefined, with the problem noted, if it is no list or is empty. */
export function elementsOf(field: Field, allowed: string, why: string): Field[] | undefined {
  const { value, path, problems } = field;
  if (!Array.isArray(value))
    return refuse(field, isAbsent(field) ? 'it is missing' : `${quote(value)} is no list`, allowed, why);
  if (value.length === 0) return refuse(field, 'the list is empty', allowed, why);
  if (value.length > 400) return refuse(field, `it has ${value.length} elements`, allowed, why);
  return value.map((element, i) => ({ path: `${path}[${i}]`, value: element, problems }));
}

/** One of the given words, whatever its case, as the list spells it. */
export function wordOf<Word extends string>(
  field: Field,
  words: readonly Word[],
  why: string,
): Word | undefined {
  const given = typeof field.value === 'string' ? field.value.toLowerCase() : undefined;
  const word = words.find((candidate) => candidate.toLowerCase() === given);
  if (word !== undefined) return word;
  const problem = isAbsent(field) ? 'it is missing' : `${quote(field.value)} is not allowed`;
  return refuse(field, problem, words.join(', '), why);
}

/** A list of words, each once and in the order of `words`. */
export function wordsOf<Word extends string>(
  field: Field,
  words: readonly Word[],
  why: string,
): Word[] | undefined {
  const elements = elementsOf(field, `some of ${words.join(', ')}`, why);
  const given = elements?.map((element) => wordOf(element, words, why));
  if (given === undefined || given.includes(undefined)) return undefined;
  return words.filter((word) => given.includes(word));
}

export function integerOf(field: Field, least: number, most: number, why: string): number | undefined {
  const { value } = field;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const allowed = least === most ? `${least}` : `a whole number from ${least} to ${most}`;
  return refuse(field, isAbsent(field) ? 'it is missing' : `${quote(value)} is not allowed`, allowed, why);
}

/** The clock part of a date-time, as `HH:MM`. Date and suffix say nothing in a policy: the time is its zone's. */
export function timeOfDayOf(field: Field): string | undefined {
  const [, time, rest] =
    typeof field.value === 'string'
      ? (/^\d{4}-\d{2}-\d{2}T((?:[01]\d|2[0-3]):[0-5]\d)(?::(\d{2}(?:\.\d+)?))?(?:Z|[+-]\d{2}:?\d{2})?$/i.exec(
          field.value,
        ) ?? [])
      : [];
  if (time !== undefined && Number(rest ?? 0) === 0) return time;
  return refuse(
    field,
    isAbsent(field) ? 'it is missing' : `${quote(field.value)} is no time of day in whole minutes`,
    'a date-time such as "2026-01-01T20:00:00Z"',
    'Only the clock part counts, to the minute: it is the time of day in the time zone of the policy, and the date and the Z say nothing.',
  );
}
