import { createClient, type HoldfastClient } from '../api/client/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { type Connection, type ConnectionFlags, resolveConnection } from './connection.ts';
import { formatTime } from './format.ts';
import type { CliIo } from './io.ts';
import { type Look, lookOf } from './look.ts';
import { type Cell, type Column, formatFields, formatTable } from './table.ts';

export const outputFormats = ['table', 'json', 'jsonl'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** Options that every command has. */
export interface CommonOptions extends ConnectionFlags {
  output: OutputFormat;
  resourceGroup?: string | undefined;
  vault?: string | undefined;
}

/** One run of one command: what was asked for, the service to ask, and how to answer. */
export class Call<Options = unknown> {
  readonly options: Options & CommonOptions;
  readonly args: readonly string[];
  readonly io: CliIo;
  /** How standard output may look. */
  readonly look: Look;
  #warned = false;
  #connection: Connection | undefined;

  constructor(options: Options & CommonOptions, args: readonly string[], io: CliIo) {
    this.options = options;
    this.args = args;
    this.io = io;
    this.look = lookOf(io, io.stdout);
  }

  /** A client of the service. Each call looks anew where it is: a restarted service has another token. */
  async connect(): Promise<HoldfastClient> {
    const connection = await resolveConnection(this.options, this.io);
    this.#connection = connection;
    if (connection.warning !== undefined && !this.#warned) this.say(`Warning: ${connection.warning}`);
    this.#warned = true;
    return createClient({ ...connection, signal: this.io.signal });
  }

  /** Where the service was reached, and by which certificate. */
  get reached(): Pick<Connection, 'endpoint' | 'caFile'> {
    if (this.#connection === undefined) throw new Error('asked for the connection before there was one');
    return this.#connection;
  }

  /** The positional argument; the command line has been checked for it. */
  get name(): string {
    return this.args[0] ?? '';
  }

  get now(): number {
    return this.io.now?.() ?? Date.now();
  }

  /** A resource group that was asked for, by option or environment. */
  get namedGroup(): string | undefined {
    return this.options.resourceGroup ?? (this.io.env.HOLDFAST_RESOURCE_GROUP || undefined);
  }

  get resourceGroup(): string {
    return this.namedGroup ?? 'default';
  }

  /** @throws {HoldfastError} InvalidCommandLine if no vault is named */
  get vault() {
    const vault = this.options.vault ?? (this.io.env.HOLDFAST_VAULT || undefined);
    if (vault !== undefined) return { resourceGroup: this.resourceGroup, vault };
    throw new HoldfastError('InvalidCommandLine', 'No vault is named.', {
      action: 'Give --vault NAME or set HOLDFAST_VAULT; "holdfast vault list" shows what there is.',
    });
  }

  /** For a command whose argument is the vault: what it starts is looked for there. */
  inVault(name: string): this {
    (this.options as CommonOptions).vault = name;
    return this;
  }

  time(iso: string | undefined): string {
    return formatTime(iso, this.look.timeZone, this.now);
  }

  /** A line for the person at the keyboard: to standard error, so that output stays what was asked for. */
  say(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  /** Text for people; programs get none of it. */
  write(text: string): void {
    if (this.options.output === 'table') this.io.stdout.write(text);
  }

  json(value: unknown): void {
    if (this.options.output === 'json') this.io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    if (this.options.output === 'jsonl') this.io.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A list: a table, or the resources as they came. `whenEmpty` says what to do next. */
  list<T>(
    items: readonly T[],
    columns: readonly Column[],
    row: (item: T) => readonly Cell[],
    whenEmpty: string,
  ): void {
    if (this.options.output === 'json') this.json(items);
    else if (this.options.output === 'jsonl') for (const item of items) this.json(item);
    else if (items.length === 0) this.say(whenEmpty);
    else this.write(formatTable(columns, items.map(row), this.look));
  }

  /** One resource: its facts, or the resource as it came. */
  show(item: unknown, fields: readonly (readonly [string, Cell | undefined])[]): void {
    this.json(item);
    this.write(formatFields(fields, this.look));
  }

  /** A command line that a person could type next, with the options that lead to the same service and vault. */
  nextCommand(words: string, withVault = true): string {
    const home = this.#connection?.home;
    const options = [
      withVault ? ` --vault ${shellWord(this.vault.vault)}` : '',
      this.options.resourceGroup === undefined
        ? ''
        : ` --resource-group ${shellWord(this.options.resourceGroup)}`,
      this.options.home === undefined || home === undefined ? '' : ` --home ${shellWord(home)}`,
      this.options.endpoint === undefined ? '' : ` --endpoint ${shellWord(this.options.endpoint)}`,
      this.options.tokenFile === undefined ? '' : ` --token-file ${shellWord(this.options.tokenFile)}`,
      this.options.caFile === undefined ? '' : ` --ca-file ${shellWord(this.options.caFile)}`,
    ];
    return `holdfast ${words}${options.join('')}`;
  }
}

/** A word as a shell takes it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
