import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** A process whose surroundings are `processIo()`; it writes, then waits for its signal and tells the reason. */
function startChild() {
  const script = `
    import { processIo } from ${JSON.stringify(join(import.meta.dirname, 'io.ts'))};
    const { stdout, stderr, signal } = processIo();
    const writing = setInterval(() => stdout.write('line\\n'), 5);
    signal.addEventListener('abort', () => {
      clearInterval(writing);
      stderr.write(signal.reason.name + ': ' + signal.reason.message);
    });
  `;
  return spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function endOf(child: ReturnType<typeof startChild>) {
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const [code] = await once(child, 'close');
  return { code, said: said.join('') };
}

test('a reader that closes the pipe ends the waiting, quietly and without a crash', async () => {
  const child = startChild();
  child.stdout.once('data', () => child.stdout.destroy());
  expect(await endOf(child)).toEqual({ code: 0, said: 'OutputClosed: ' });
});

test('Ctrl-C ends the waiting', async () => {
  const child = startChild();
  child.stdout.once('data', () => child.kill('SIGINT'));
  expect(await endOf(child)).toEqual({ code: 0, said: 'Error: Interrupted.' });
});
