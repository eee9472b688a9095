import { type Command, CommanderError } from 'commander';
import { HoldfastError } from '../errors/index.ts';
import type { Cli } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { exitCodeOf, failureJson, failureText } from './failure.ts';
import { type CliIo, OutputClosed } from './io.ts';
import { lookOf } from './look.ts';
import { createProgram } from './program.ts';

export interface RunCliOptions {
  /** Commands of the process itself (`serve`): listed in the help, and run when called. */
  commands?: readonly Command[];
}

/**
 * Runs one command line, without the program's name. Whatever happens becomes text on the given streams and the exit
 * code that is returned; nothing is thrown.
 */
export async function runCli(
  argv: readonly string[],
  io: CliIo,
  options: RunCliOptions = {},
): Promise<ExitCode> {
  const cli: Cli = { io, exitCode: exitCodes.ok };
  const program = createProgram(cli, options.commands);
  try {
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
    // A noun without a verb: commander has printed the noun's help.
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage;
    if (io.signal?.aborted) {
      if (!(io.signal.reason instanceof OutputClosed)) io.stderr.write('Interrupted.\n');
      return exitCodes.interrupted;
    }
    const failure = error instanceof CommanderError ? usageError(program, argv, error) : error;
    io.stderr.write(
      wantsJson(argv)
        ? `${JSON.stringify(failureJson(failure))}\n`
        : failureText(failure, lookOf(io, io.stderr)),
    );
    return exitCodeOf(failure);
  }
}

function usageError(program: Command, argv: readonly string[], error: CommanderError): HoldfastError {
  const sentence = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new HoldfastError('InvalidCommandLine', `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`, {
    action: `See "${commandPath(program, argv)} --help".`,
    cause: error,
  });
}

/** The longest command that the words name, for the hint where to read on. */
function commandPath(program: Command, argv: readonly string[]): string {
  const names = ['holdfast'];
  let command = program;
  for (const word of argv) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) continue;
    names.push(word);
    command = next;
  }
  return names.join(' ');
}

/** The wanted output, read without the parser: it may be the parser that failed. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some((word, i) => {
    const value =
      word === '-o' || word === '--output' ? argv[i + 1] : /^(?:-o|--output=)(.+)$/.exec(word)?.[1];
    return value === 'json' || value === 'jsonl';
  });
}
