/** Reading what stands behind the `?` of a page's address. Whatever makes no sense there is as if it were not there. */
type Raw = Record<string, unknown>;

const longestText = 200;

export function textIn(raw: Raw, name: string): string | undefined {
  const value = raw[name];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value.slice(0, longestText) : undefined;
}

export function oneOf<Word extends string>(raw: Raw, name: string, words: readonly Word[]): Word | undefined {
  return words.find((word) => word === raw[name]);
}
