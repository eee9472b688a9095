import type { Command } from 'commander';
import { addCommand, addNoun, type Cli, onRun } from '../command.ts';

export function addServiceCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'service', 'the Holdfast service itself');
  const show = addCommand(noun, {
    name: 'show',
    summary: 'Show the version, home and subscription of the service.',
    example: 'holdfast service show',
  });
  onRun(show, cli, async (call) => {
    const service = await (await call.connect()).service();
    call.show(service, [
      ['Version', service.version],
      ['Started', call.time(service.startedAt)],
      ['Home', service.home],
      ['Subscription', service.subscriptionId],
    ]);
  });
}
