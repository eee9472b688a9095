/** What the exit status says, for scripts. `docs/cli.md` lists the same. */
export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  warnings: 3,
  jobFailed: 4,
  notFound: 10,
  conflict: 11,
  notSignedIn: 12,
  interrupted: 130,
} as const;

export type ExitName = keyof typeof exitCodes;
export type ExitCode = (typeof exitCodes)[ExitName];

export const exitMeanings: Record<ExitName, string> = {
  ok: 'done',
  error: 'failed; standard error has code, sentence and what to do',
  usage: 'the command line is wrong',
  warnings: 'the job completed with warnings',
  jobFailed: 'the job failed or was cancelled',
  notFound: 'what was named does not exist',
  conflict: 'in use, or in a state that forbids it, such as immutability',
  notSignedIn: 'not signed in, or not allowed',
  interrupted: 'interrupted while waiting; the job goes on',
};
