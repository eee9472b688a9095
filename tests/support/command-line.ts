import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mainProgram } from './service-process.ts';

/** How a command ended. */
export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The command line against the service of one home. */
export interface CommandLine {
  run(...args: string[]): Promise<CommandResult>;
  /** Runs a command that has to succeed, and gives its JSON. */
  json<T>(...args: string[]): Promise<T>;
  /** Runs a command that has to fail. @returns its exit code and what the error says */
  refusal(...args: string[]): Promise<Refusal>;
}

export interface Refusal {
  exit: number | null;
  code: string;
  message: string;
  /** What the user is advised to do. */
  action: string | undefined;
}

interface ErrorBody {
  error: { code: string; message: string; additionalInfo?: { info: { action?: string } }[] };
}

const timeoutMs = 180_000;

export function commandLine(home: string): CommandLine {
  const run: CommandLine['run'] = async (...args) => {
    const child = spawn(process.execPath, [mainProgram, ...args, '--home', home, '--output', 'json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  };
  return {
    run,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args);
      if (code !== 0)
        throw new Error(`holdfast ${args.join(' ')} ended with ${code}: ${stderr || stdout.slice(-3000)}`);
      return JSON.parse(stdout);
    },
    async refusal(...args) {
      const { code, stdout, stderr } = await run(...args);
      if (code === 0) throw new Error(`holdfast ${args.join(' ')} succeeded: ${stdout}`);
      const { error } = JSON.parse(stderr) as ErrorBody;
      return {
        exit: code,
        code: error.code,
        message: error.message,
        action: error.additionalInfo?.[0]?.info.action,
      };
    },
  };
}
