/**
 * What a person types. A client of the API and of nothing else; everything it needs of its surroundings is passed in,
 * so that a test runs a command line without a process. `docs/cli.md` is the user's side of it.
 */
export { formatBytes, formatDuration } from './format.ts';
export { type CliIo, defaultHome, type Output, processIo } from './io.ts';
export { JobDisplay } from './job-display.ts';
export { type Look, lookOf } from './look.ts';
export { parsePositive } from './parse.ts';
export { jobChanges, jobFrame, jobResult } from './progress.ts';
export { type RunCliOptions, runCli } from './run-cli.ts';
export { type Cell, type Column, formatFields, formatTable } from './table.ts';
