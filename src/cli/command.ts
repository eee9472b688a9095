import { type Command, Option } from 'commander';
import { Call, type CommonOptions } from './call.ts';
import { type ExitCode, type ExitName, exitCodes, exitMeanings } from './exit-codes.ts';
import type { CliIo } from './io.ts';

/** What the commands of one run share. */
export interface Cli {
  io: CliIo;
  /** Set by the command that ran. */
  exitCode: ExitCode;
}

export interface CommandSpec {
  /** Name and arguments, as commander writes them: `show <job>`. */
  name: string;
  /** One sentence. */
  summary: string;
  /** What each argument is. */
  args?: Record<string, string>;
  example: string;
  /** Exit codes beyond those that every command has. */
  exits?: ExitName[];
}

const everyExit: ExitName[] = ['ok', 'error', 'usage', 'notSignedIn'];

/** Exit codes of a command that follows a job. */
export const jobExits: ExitName[] = ['warnings', 'jobFailed', 'notFound', 'conflict', 'interrupted'];

/** Adds a command whose help has a sentence, its arguments, an example and its exit codes. */
export function addCommand(parent: Command, spec: CommandSpec): Command {
  const command = parent.command(spec.name).summary(spec.summary).description(spec.summary);
  for (const argument of command.registeredArguments) {
    const description = spec.args?.[argument.name()];
    if (description !== undefined) argument.description = description;
  }
  const names = new Set([...everyExit, ...(spec.exits ?? [])]);
  const exits = (Object.keys(exitCodes) as ExitName[])
    .filter((name) => names.has(name))
    .map((name) => `  ${String(exitCodes[name]).padEnd(5)}${exitMeanings[name]}`);
  command.addHelpText('after', `\nExample:\n  ${spec.example}\n\nExit codes:\n${exits.join('\n')}`);
  return command;
}

/** Adds a noun, whose verbs are added to it. */
export function addNoun(parent: Command, name: string, summary: string): Command {
  return parent.command(name).summary(summary).description(summary);
}

/** What the command does. Returns its exit code where that is not 0. */
export function onRun<Options = unknown>(
  command: Command,
  cli: Cli,
  run: (call: Call<Options>) => Promise<ExitCode | undefined> | Promise<void>,
): void {
  command.action(async () => {
    const options = command.optsWithGlobals<Options & CommonOptions>();
    cli.exitCode = (await run(new Call<Options>(options, command.args, cli.io))) ?? exitCodes.ok;
  });
}

export function withGroup(command: Command): Command {
  return command.option(
    '-g, --resource-group <name>',
    'resource group (env: HOLDFAST_RESOURCE_GROUP; default: default)',
  );
}

export function withVault(command: Command): Command {
  return withGroup(command.option('-v, --vault <name>', 'vault (env: HOLDFAST_VAULT)'));
}

export interface VmOptions {
  vm: string;
  vmResourceGroup?: string | undefined;
}

/** Options of a command about one VM in a vault. */
export function withItem(command: Command): Command {
  return withVault(command.requiredOption('--vm <name>', 'virtual machine')).option(
    '--vm-resource-group <name>',
    "resource group of the VM's host (default: that of the vault)",
  );
}

export function itemAddress(call: Call<VmOptions>) {
  const { vault, options } = call;
  return { ...vault, vm: options.vm, vmResourceGroup: options.vmResourceGroup ?? vault.resourceGroup };
}

export interface WaitOptions {
  wait?: boolean | undefined;
}

/** Options of a command that starts a job: it follows the job unless told otherwise. */
export function withWait(command: Command): Command {
  return command
    .addOption(new Option('--wait', 'follow the job to its end (the default)'))
    .addOption(new Option('--no-wait', 'return as soon as the job has started, printing its id'));
}
