import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';
import { runLine } from './testing/scripted-service.ts';

describe('help', () => {
  test('without a command the help is shown; a noun alone is a wrong command line that shows its verbs', async () => {
    const help = await runLine('', {});
    expect(help.code).toBe(0);
    expect(help.out).toContain('recovery-point');
    const noun = await runLine('vault', {});
    expect([noun.code, noun.out]).toEqual([2, '']);
    expect(noun.err).toContain('create [options] <vault>');
  });

  test("the process's own commands are in the help and run", async () => {
    let home: unknown;
    const serve = () =>
      new Command('serve').summary('run the service').action((_options, command: Command) => {
        ({ home } = command.optsWithGlobals());
      });
    let out = '';
    const io = { stdout: { write: (text: string) => (out += text) }, stderr: { write() {} }, env: {} };
    await runCli(['--help'], io, { commands: [serve()] });
    expect(out).toContain('run the service');
    expect(await runCli(['serve', '--home', '/h'], io, { commands: [serve()] })).toBe(0);
    expect(home).toBe('/h');
  });

  test('the version is that of the package', async () => {
    expect((await runLine('--version', {})).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
