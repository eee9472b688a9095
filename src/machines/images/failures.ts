import { type ErrorCode, HoldfastError, isHoldfastError, messageOf } from '../../errors/index.ts';
import { NbdError } from '../../nbd/index.ts';
import { RunError, type RunOptions, type RunResult, run } from '../../platform/index.ts';

/** What QEMU's tools and the kernel say, and what that is for us. The first match counts. */
const meanings: readonly (readonly [RegExp, ErrorCode])[] = [
  [/No space left on device|Disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/, 'UserErrorHostStorageFull'],
  [/Failed to get (shared )?"[^"]*" lock|another process using/, 'DiskImageInUse'],
  [/File exists|\bEEXIST\b/, 'DiskImageExists'],
  [/No such file or directory|\bENOENT\b|Not a directory|\bENOTDIR\b/, 'DiskImageNotFound'],
  [
    /unsupported|not supported|not support checks|Unknown driver|requires .* to be a (regular file|block device)/i,
    'DiskImageNotSupported',
  ],
  [/not in \w+ format|corrupt/i, 'DiskImageDamaged'],
];

/** An expected failure over an image as one of the room's codes; `said` is what decides. */
export function imageFailure(doing: string, path: string, said: string, cause?: unknown): HoldfastError {
  const words = said.replaceAll(path, ''); // names are the user's and mean nothing
  const code = meanings.find(([pattern]) => pattern.test(words))?.[1] ?? 'DiskImageUnavailable';
  const reason = said.trim().replaceAll(descriptorName, path) || 'no reason given';
  return new HoldfastError(code, `Can't ${doing} ${path}: ${reason}`, { target: path, cause });
}

/** What a program calls a file that it was given by our descriptor. */
const descriptorName = /\/proc\/\d+\/fd\/\d+/g;

/** Turns what a file system call or the NBD client throws into the room's codes; aborts and bugs pass as they are. */
export function toImageFailure(doing: string, path: string, error: unknown, said = ''): unknown {
  if (isHoldfastError(error)) return error;
  const isSystemError = error instanceof Error && 'syscall' in error && 'code' in error;
  if (!isSystemError && !(error instanceof NbdError)) return error;
  return imageFailure(doing, path, said === '' ? messageOf(error) : `${messageOf(error)} (${said})`, error);
}

export function toolMissing(program: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HostToolMissing', `The program ${program} is not installed on the host.`, {
    target: program,
    cause,
  });
}

/** Runs one of QEMU's tools over the image at `path`. `accept`: exit statuses other than 0 that are no failure. */
export async function runImageTool(
  command: readonly [string, ...string[]],
  doing: string,
  path: string,
  options: Pick<RunOptions, 'timeoutMs' | 'signal'> & { accept?: readonly number[] },
): Promise<RunResult> {
  try {
    return await run(command, options);
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    if (error.kind === 'missing') throw toolMissing(command[0], error);
    const { code } = error.result;
    if (error.kind === 'failed' && code !== null && options.accept?.includes(code)) return error.result;
    if (error.kind !== 'failed') throw imageFailure(doing, path, error.message, error);
    throw imageFailure(doing, path, error.result.stderr.trim() || error.message, error);
  }
}
