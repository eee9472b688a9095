import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exitCodes, exitMeanings } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { commandReference, leavesOf } from './reference.ts';

const docs = join(import.meta.dirname, '..', '..', 'docs');
const io = { stdout: { write() {} }, stderr: { write() {} }, env: {} };
const program = createProgram({ io, exitCode: exitCodes.ok });

test('the reference in docs/ is that of the parser (vitest -u writes it)', async () => {
  const text = `# Commands of the command line\n\nMade from the program; [cli.md](cli.md) is the guide.\n\n${commandReference(program)}`;
  await expect(text).toMatchFileSnapshot(join(docs, 'cli-reference.md'));
});

test('the guide lists every exit code with its meaning', async () => {
  const guide = await readFile(join(docs, 'cli.md'), 'utf8');
  const listed = [...guide.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(([, code, meaning]) => [
    Number(code),
    meaning,
  ]);
  expect(listed).toEqual(
    Object.entries(exitCodes).map(([name, code]) => [code, exitMeanings[name as keyof typeof exitCodes]]),
  );
});

test('every command has a sentence, described arguments and options, an example and its exit codes', () => {
  for (const { path, command } of leavesOf(program)) {
    const written: string[] = [];
    command.configureOutput({ writeOut: (text) => written.push(text) }).outputHelp();
    const help = written.join('');
    expect(command.description(), path).toMatch(/^[A-Z].*\.$/);
    expect(
      command.registeredArguments.filter((argument) => argument.description === ''),
      path,
    ).toEqual([]);
    expect(
      command.options.filter((option) => option.description === ''),
      path,
    ).toEqual([]);
    expect(help, path).toContain(`Example:\n  holdfast ${path}`);
    expect(help, path).toMatch(/Exit codes:\n {2}0 {4}done\n/);
  }
});
