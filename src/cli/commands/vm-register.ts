import type { Command } from 'commander';
import type { Call } from '../call.ts';
import { addCommand, type Cli, jobExits, onRun, type WaitOptions, withVault, withWait } from '../command.ts';
import { startedJob } from '../start-job.ts';

type RegisterOptions = WaitOptions & { vmResourceGroup?: string };

/** Azure's classic steps. `item enable` does not need them. */
export function addVmRegisterCommands(noun: Command, cli: Cli): void {
  const discover = withVault(
    addCommand(noun, {
      name: 'discover',
      summary: 'Look at what the hosts have, and list the virtual machines that a vault could protect.',
      example: 'holdfast vm discover --vault v1',
      exits: ['notFound'],
    }),
  );
  onRun(discover, cli, async (call) => {
    const client = await call.connect();
    await client.operations.wait(await client.machines.discover(call.vault));
    call.list(
      await client.machines.protectable(call.vault),
      [{ header: 'NAME' }, { header: 'GROUP' }],
      ({ properties }) => [properties.friendlyName, properties.resourceGroup],
      `Vault ${call.vault.vault} could protect no more virtual machines: the hosts of its region have none that is neither protected nor registered with another vault. All there are: ${call.nextCommand('vm list', false)}`,
    );
  });

  const withVm = (name: string, summary: string, example: string) =>
    withWait(
      withVault(
        addCommand(noun, { name, summary, example, args: { vm: 'its name' }, exits: jobExits }),
      ).option('--vm-resource-group <name>', "resource group of the VM's host (default: that of the vault)"),
    );
  const addressOf = (call: Call<RegisterOptions>) => ({
    ...call.vault,
    vm: call.name,
    vmResourceGroup: call.options.vmResourceGroup ?? call.vault.resourceGroup,
  });

  const register = withVm(
    'register <vm>',
    'Register a virtual machine with a vault before it is protected there; no other vault can protect it then.',
    'holdfast vm register --vault v1 web-1',
  );
  onRun<RegisterOptions>(register, cli, async (call) => {
    const client = await call.connect();
    return startedJob(call, client, await client.machines.register(addressOf(call)));
  });

  const unregister = withVm(
    'unregister <vm>',
    'End the registration of a virtual machine that the vault has nothing of.',
    'holdfast vm unregister --vault v1 web-1',
  );
  onRun<RegisterOptions>(unregister, cli, async (call) => {
    const client = await call.connect();
    return startedJob(call, client, await client.machines.unregister(addressOf(call)));
  });
}
