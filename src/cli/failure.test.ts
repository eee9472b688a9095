import { describe, expect, test } from 'vitest';
import { lines, runLine, world } from './testing/scripted-service.ts';

describe('errors', () => {
  const refusal = (status: number, code: string) => ({
    'GET VAULT': () => ({
      status,
      headers: { 'x-ms-request-id': 'r-7' },
      body: {
        error: {
          code,
          message: 'No.',
          additionalInfo: [{ type: 'RecommendedAction', info: { action: 'Do it so.' } }],
        },
      },
    }),
  });

  test.each([
    [400, 'InvalidInput', 1],
    [400, 'UserErrorOperationDeniedOnImmutableItem', 11],
    [401, 'Unauthorized', 12],
    [403, 'Forbidden', 12],
    [404, 'ResourceNotFound', 10],
    [409, 'StoreInUse', 11],
    [500, 'InternalError', 1],
  ])('a refusal with status %i (%s) gives exit code %i', async (status, code, exitCode) => {
    const { run } = await world(refusal(status, code));
    expect(await run('vault show v1')).toEqual({
      code: exitCode,
      out: '',
      err: lines(`Error ${code}: No.`, 'What to do: Do it so.', 'Request id: r-7'),
    });
  });

  test("with --output json an error is the API's object, on standard error", async () => {
    const { run } = await world(refusal(409, 'StoreInUse'));
    const { err, out } = await run('vault show v1 --output json');
    expect(out).toBe('');
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'StoreInUse',
        message: 'No.',
        additionalInfo: [{ type: 'RecommendedAction', info: { action: 'Do it so.' } }],
      },
    });
  });

  test.each([
    [
      'vault lst',
      "Error InvalidCommandLine: Unknown command 'lst' (Did you mean list?)",
      'holdfast vault --help',
    ],
    [
      'vault show',
      "Error InvalidCommandLine: Missing required argument 'vault'",
      'holdfast vault show --help',
    ],
    [
      'backup now -v v1',
      "Error InvalidCommandLine: Required option '--vm <name>' not specified",
      'holdfast backup now --help',
    ],
    [
      'restore disks -v v1 --vm w --recovery-point 1 --to here',
      'It takes an absolute directory',
      'holdfast restore disks --help',
    ],
    ['vault list -o xml', 'Allowed choices are table, json, jsonl.', 'holdfast vault list --help'],
    ['job list -v v1 --since yesterday', 'It takes a date (2026-12-31)', 'holdfast job list --help'],
  ])('"%s" is a wrong command line: exit code 2 and where to read on', async (line, sentence, help) => {
    const { code, out, err } = await runLine(line, {});
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(sentence);
    expect(err).toContain(`What to do: See "${help}".\n`);
  });

  test('a wrong command line with --output json is an error object too', async () => {
    const { err } = await runLine('vault lst --output json', {});
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'InvalidCommandLine' } });
  });

  test('a command that needs a vault says so before it asks the service', async () => {
    const { code, err } = await runLine('item list', { defaultHome: '/nonexistent' });
    expect(code).toBe(2);
    expect(err).toBe(
      lines(
        'Error InvalidCommandLine: No vault is named.',
        'What to do: Give --vault NAME or set HOLDFAST_VAULT; "holdfast vault list" shows what there is.',
      ),
    );
  });
});
