import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteDialect, type SqliteStatement } from 'kysely';

/** Opens Node's own SQLite for Kysely, durable: a commit that returned survives a power cut. */
export function sqliteDialect(path: string): SqliteDialect {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA foreign_keys = ON');
  const prepared = new Map<string, SqliteStatement>();
  return new SqliteDialect({
    database: {
      close: () => database.close(),
      prepare(sql) {
        // SQLite ends a transaction itself when the disk is full; Kysely's rollback would then hide that error.
        if (sql === 'rollback' && !database.isTransaction) return nothingToDo;
        const known = prepared.get(sql);
        if (known !== undefined) return known;
        // Every transaction of ours writes. One that only later asks to write can be refused at once, without waiting.
        const statement = asKyselys(database.prepare(sql === 'begin' ? 'begin immediate' : sql));
        if (sql.length <= longestKept) prepared.set(sql, statement);
        if (prepared.size > mostKept) {
          const [oldest] = prepared.keys();
          if (oldest !== undefined) prepared.delete(oldest);
        }
        return statement;
      },
    },
  });
}

/** Statements kept prepared: all that the service asks again and again. Long ones have a list in them, of any length. */
const mostKept = 500;
const longestKept = 4000;

const asKyselys = (statement: StatementSync): SqliteStatement => ({
  reader: statement.columns().length > 0,
  all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
  run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
  iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
});

const nothingToDo = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};
