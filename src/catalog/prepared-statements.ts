import type pg from 'pg';

/** Statements that have a name; those after them are parsed and planned every time. */
const mostNamed = 500;
/** Longer ones have a list in them, of any length. */
const longestNamed = 4000;

/**
 * A client of PostgreSQL whose server keeps prepared what it is asked again and again: each statement has a name. A
 * connection that is made anew prepares them anew.
 */
export function preparingClient(Client: typeof pg.Client): typeof pg.Client {
  const names = new Map<string, string>();
  const nameOf = (text: string): string | undefined => {
    const known = names.get(text);
    if (known !== undefined || names.size >= mostNamed || text.length > longestNamed) return known;
    if (!/^(select|insert|update|delete)\b/i.test(text)) return undefined;
    const name = `holdfast-${names.size}`;
    names.set(text, name);
    return name;
  };
  return class extends Client {
    // Kysely gives text and values, and waits for the promise.
    override query(...args: unknown[]): never {
      const [text, values, ...rest] = args;
      const name = typeof text === 'string' && rest.length === 0 ? nameOf(text) : undefined;
      const given = name === undefined ? args : [{ name, text, values }];
      return Reflect.apply(super.query, this, given) as never;
    }
  };
}
