import {
  DeleteQueryNode,
  InsertQueryNode,
  type Kysely,
  type KyselyPlugin,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryResult,
  type RootOperationNode,
  SelectQueryNode,
  TableNode,
  type UnknownRow,
  UpdateQueryNode,
} from 'kysely';
import type { Schema } from './schema.ts';

type Table = keyof Schema;

/** Tables whose rows go with those of another. */
const goAlong: Partial<Record<string, readonly Table[]>> = {
  vaults: ['replicas', 'store_upkeep', 'policies'],
  people: ['sessions'],
  points: ['point_definitions'],
  jobs: ['job_tasks'],
};

const mostAnswers = 2000;

/** What is remembered is read anew after this long all the same: a write whose end nobody learned is found out then. */
const longestMs = 60_000;

interface Answer {
  value: Promise<unknown>;
  /** Of its tables, when it was asked for. */
  stamp: number;
  untilMs: number;
}

/**
 * Answers that hold until one of the tables they were read from is written to. Sees every statement on its way to the
 * database, so that nobody has to remember to forget; that is enough because the catalog has one process
 * (docs/postgresql.md). A write counts twice, when it is sent and when it is done: what was read between is read again.
 * A transaction keeps the one connection until it has ended, so that nobody else reads while it is open.
 */
class ReadMemory implements KyselyPlugin {
  readonly #writes = new Map<string, number>();
  #otherWrites = 0;
  readonly #underWay = new WeakMap<object, readonly string[] | 'any'>();
  readonly #answers = new Map<string, Answer>();

  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    const tables = writtenBy(node);
    if (tables !== undefined) {
      this.#count(tables);
      this.#underWay.set(queryId, tables);
    }
    return node;
  }

  async transformResult({ result, queryId }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    const tables = this.#underWay.get(queryId);
    if (tables !== undefined) this.#count(tables);
    return result;
  }

  #count(tables: readonly string[] | 'any'): void {
    if (tables === 'any') this.#otherWrites += 1;
    else for (const table of tables) this.#writes.set(table, (this.#writes.get(table) ?? 0) + 1);
  }

  #stampOf(tables: readonly Table[]): number {
    let stamp = this.#otherWrites;
    for (const table of tables) stamp += this.#writes.get(table) ?? 0;
    return stamp;
  }

  get<T>(tables: readonly Table[], key: string, read: () => Promise<T>): Promise<T> {
    const stamp = this.#stampOf(tables);
    const nowMs = performance.now();
    const known = this.#answers.get(key);
    if (known !== undefined && known.stamp === stamp && nowMs < known.untilMs)
      return known.value as Promise<T>;
    const value = read();
    this.#answers.delete(key);
    this.#answers.set(key, { value, stamp, untilMs: nowMs + longestMs });
    value.catch(() => {
      if (this.#answers.get(key)?.value === value) this.#answers.delete(key);
    });
    if (this.#answers.size > mostAnswers) {
      const [oldest] = this.#answers.keys();
      if (oldest !== undefined) this.#answers.delete(oldest);
    }
    return value;
  }
}

/** The tables that a statement changes; undefined for one that only reads. */
function writtenBy(node: RootOperationNode): readonly string[] | 'any' | undefined {
  if (SelectQueryNode.is(node)) return undefined;
  const target = InsertQueryNode.is(node)
    ? node.into
    : UpdateQueryNode.is(node)
      ? node.table
      : DeleteQueryNode.is(node) && node.from.froms.length === 1
        ? node.from.froms[0]
        : undefined;
  if (target === undefined || !TableNode.is(target)) return 'any';
  const table = target.table.identifier.name;
  return [table, ...(DeleteQueryNode.is(node) ? (goAlong[table] ?? []) : [])];
}

/** What a database needs to remember answers. */
export const readMemory = (): KyselyPlugin => new ReadMemory();

/**
 * What `read` finds, or found since one of the tables was last written to. Whoever gets it must not change it. Within a
 * transaction it is always read.
 * @param tables all that `read` looks at
 * @param key what it looks for; the same for the same question only
 */
export function remembered<T>(
  db: Kysely<Schema>,
  tables: readonly Table[],
  key: string,
  read: () => Promise<T>,
): Promise<T> {
  const memory = db.isTransaction
    ? undefined
    : db.getExecutor().plugins.find((plugin) => plugin instanceof ReadMemory);
  return memory === undefined ? read() : memory.get(tables, key, read);
}
