import type { TestProject } from 'vitest/node';
import { type ScratchPostgres, startPostgres } from './postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** In the lane `postgres`: the directory of the server that the tests share; each test has its own database. */
    postgres?: string;
  }
}

let server: ScratchPostgres | undefined;

/** Starts one server for the whole lane. */
export async function setup({ provide }: TestProject): Promise<void> {
  server = await startPostgres();
  provide('postgres', server.directory);
}

export async function teardown(): Promise<void> {
  await server?.[Symbol.asyncDispose]();
}
