import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { outputFormats } from './call.ts';
import type { Cli } from './command.ts';
import { addAlertCommands } from './commands/alert.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addBackupCommands } from './commands/backup.ts';
import { addClientCommands } from './commands/client.ts';
import { addHostCommands } from './commands/host.ts';
import { addItemCommands } from './commands/item.ts';
import { addJobCommands } from './commands/job.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addRecoveryPointCommands } from './commands/recovery-point.ts';
import { addRestoreCommands } from './commands/restore.ts';
import { addRoleCommands } from './commands/role.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSignInCommands } from './commands/sign-in.ts';
import { addStoreCommands } from './commands/store.ts';
import { addUserCommands } from './commands/user.ts';
import { addVaultCommands } from './commands/vault.ts';
import { addVmCommands } from './commands/vm.ts';
import { lookOf } from './look.ts';

/**
 * All commands. Parsing ends by throwing `CommanderError`; help goes to standard output.
 * @param extra commands of the process itself (`serve`), so that the help names them
 */
export function createProgram(cli: Cli, extra: readonly Command[] = []): Command {
  const { io } = cli;
  const program = new Command('holdfast')
    .description('Backup for virtual machines on libvirt/QEMU: vaults, policies, recovery points, restore.')
    .version(version(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      // Errors are written in one form, by whoever runs this.
      outputError: () => {},
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      getOutHasColors: () => lookOf(io, io.stdout).color,
      getErrHasColors: () => lookOf(io, io.stderr).color,
    })
    .configureHelp({ showGlobalOptions: true })
    .addOption(
      new Option(
        '-o, --output <format>',
        'table for people; json: the objects of the API; jsonl: one object per line',
      )
        .choices(outputFormats)
        .default('table'),
    )
    .option('--home <directory>', 'home of the service on this machine (env: HOLDFAST_HOME)')
    .option('--endpoint <url>', 'address of a service, https://HOST:PORT (env: HOLDFAST_ENDPOINT)')
    .option('--token-file <file>', 'file with the token for it (env: HOLDFAST_TOKEN has the token itself)')
    .option('--ca-file <file>', 'PEM certificate to trust for it (env: HOLDFAST_CA_FILE)');
  for (const command of extra) program.addCommand(command.copyInheritedSettings(program));
  addServiceCommands(program, cli);
  addHostCommands(program, cli);
  addVmCommands(program, cli);
  addVaultCommands(program, cli);
  addStoreCommands(program, cli);
  addPolicyCommands(program, cli);
  addItemCommands(program, cli);
  addBackupCommands(program, cli);
  addJobCommands(program, cli);
  addRecoveryPointCommands(program, cli);
  addRestoreCommands(program, cli);
  addSignInCommands(program, cli);
  addUserCommands(program, cli);
  addClientCommands(program, cli);
  addRoleCommands(program, cli);
  addAlertCommands(program, cli);
  addAuditCommands(program, cli);
  program.addHelpText('after', '\nEvery command has an example and its exit codes in its --help.');
  return program;
}

function version(): string {
  const file = join(import.meta.dirname, '..', '..', 'package.json');
  return String(JSON.parse(readFileSync(file, 'utf8')).version);
}
