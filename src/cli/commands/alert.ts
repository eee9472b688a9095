import type { Command } from 'commander';
import type { Alert } from '../../api/client/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { addCommand, addNoun, type Cli, onRun } from '../command.ts';
import type { Tone } from '../look.ts';

const tones: Record<Alert['properties']['severity'], Tone> = {
  Critical: 'bad',
  Error: 'bad',
  Warning: 'warning',
};

export function addAlertCommands(program: Command, cli: Cli): void {
  const noun = addNoun(program, 'alert', 'what needs attention, and what to do about it');

  const list = addCommand(noun, {
    name: 'list',
    summary: 'List what needs attention, newest first.',
    example: 'holdfast alert list --all',
  }).option('--all', 'with those that are over, or were dismissed');
  onRun<{ all?: boolean }>(list, cli, async (call) => {
    call.list(
      await (await call.connect()).alerts.list({ all: call.options.all === true }),
      [
        { header: 'ALERT' },
        { header: 'SEVERITY' },
        { header: 'STATE' },
        { header: 'SINCE' },
        { header: 'WHAT' },
        { header: 'WHAT TO DO' },
      ],
      ({ name, properties }) => [
        name,
        {
          text: properties.severity.toLowerCase(),
          tone: properties.state === 'Open' ? tones[properties.severity] : undefined,
        },
        properties.state.toLowerCase(),
        call.time(properties.firedAt),
        properties.message,
        properties.action,
      ],
      'Nothing needs attention.',
    );
  });

  const dismiss = addCommand(noun, {
    name: 'dismiss <alert>',
    summary: 'Put an alert out of the list: it may go on, and somebody knows.',
    args: { alert: 'its id, or the beginning of it' },
    example: 'holdfast alert dismiss 2c5c9d1e-53cd-4e1f-a5e5-4f4b0f4a2f0d',
    exits: ['notFound'],
  });
  onRun(dismiss, cli, async (call) => {
    const client = await call.connect();
    const wanted = call.name.toLowerCase();
    const fitting = (await client.alerts.list({ all: true })).filter(({ name }) => name.startsWith(wanted));
    const [found] = fitting;
    if (fitting.length > 1)
      throw new HoldfastError('InvalidInput', `${fitting.length} alerts begin with ${call.name}.`, {
        target: call.name,
        action: 'Give more of its id.',
      });
    if (found === undefined)
      throw new HoldfastError('ResourceNotFound', `There is no alert ${call.name}.`, {
        target: call.name,
        action: 'List them with "holdfast alert list --all".',
      });
    const alert = await client.alerts.dismiss(found.id);
    call.json(alert);
    call.write(`Dismissed: ${alert.properties.message}\n`);
  });
}
