import type { Job, JobStatus, JobTask, TaskProgress } from '../api/client/index.ts';
import { formatBytes, formatDuration, formatEstimate, spanSeconds } from './format.ts';
import { displayWidth, type Look, paint, printable, type Tone } from './look.ts';

type Operation = Job['properties']['operation'];

export const operationWords: Record<Operation, string> = {
  Backup: 'Backup',
  Restore: 'Restore',
  ConfigureBackup: 'Configure backup',
  DisableBackup: 'Stop backup',
  DeleteBackupData: 'Delete backup data',
  Undelete: 'Undelete',
  Purge: 'Purge',
  Register: 'Register',
  UnRegister: 'Unregister',
  Replicate: 'Replication',
  VerifyStore: 'Verify store',
  VerifyReplica: 'Verification of the replica',
  RepairStore: 'Repair store',
  CollectStore: 'Collect store',
  ModifyPolicy: 'Modify policy',
  ExpirePoints: 'Remove expired points',
  RemoveLayers: 'Remove layers from host',
  RemoveOldJobs: 'Remove old jobs',
};

export const jobStatusWords: Record<JobStatus, { text: string; tone: Tone | undefined }> = {
  InProgress: { text: 'In progress', tone: undefined },
  Completed: { text: 'Completed', tone: 'good' },
  CompletedWithWarnings: { text: 'Completed with warnings', tone: 'warning' },
  Failed: { text: 'Failed', tone: 'bad' },
  Cancelling: { text: 'Cancelling', tone: 'warning' },
  Cancelled: { text: 'Cancelled', tone: 'warning' },
};

const taskWords: Record<JobTask['status'], { text: string; tone: Tone | undefined }> = {
  NotStarted: { text: 'waiting', tone: 'dim' },
  InProgress: { text: 'in progress', tone: undefined },
  Completed: { text: 'completed', tone: 'good' },
  Failed: { text: 'failed', tone: 'bad' },
  Skipped: { text: 'skipped', tone: 'warning' },
  Cancelled: { text: 'cancelled', tone: 'warning' },
};

/** True once nothing about the job will change. */
export function hasEnded(job: Job): boolean {
  return job.properties.status !== 'InProgress' && job.properties.status !== 'Cancelling';
}

/** `Backup of web-1`. */
export function jobTitle(job: Job): string {
  return printable(`${operationWords[job.properties.operation]} of ${job.properties.entityFriendlyName}`);
}

/** Whole percent of a task by bytes, rounded down; undefined until the total is known. */
export function percentOf(progress: Moved | undefined): number | undefined {
  if (progress?.totalBytes === undefined) return undefined;
  if (progress.totalBytes <= 0) return 100;
  return Math.min(100, Math.max(0, Math.floor((progress.processedBytes / progress.totalBytes) * 100)));
}

/** The job as it stands now, one line for it and one per phase, none wider than the terminal. */
export function jobFrame(job: Job, look: Look, now: number): string[] {
  const { status } = job.properties;
  const head = `${paint(jobTitle(job), 'strong', look)}, job ${printable(job.name)}`;
  const { text, tone } = jobStatusWords[status];
  const tasks = job.properties.extendedInfo?.tasksList ?? [];
  const nameWidth = Math.max(0, ...tasks.map((task) => displayWidth(task.taskId)));
  const lines = [
    [head, `: ${paint(text.toLowerCase(), tone, look)}`].join(''),
    ...tasks.flatMap((task) => [
      taskLine(task, job.properties.operation, nameWidth, look, now),
      ...diskLines(task, look),
    ]),
  ];
  return lines;
}

const barWidth = 20;

/** `██████░░░░`: what is done is rounded down, so that a full bar means all. */
function bar(percent: number, look: Look): string {
  const done = Math.floor((percent / 100) * barWidth);
  const [full, empty] = look.unicode ? ['█', '░'] : ['#', '.'];
  return full.repeat(done) + empty.repeat(barWidth - done);
}

interface Part {
  text: string;
  tone?: Tone | undefined;
  /** Where space is short, parts with the smallest number go first. */
  weight: number;
}

function taskLine(task: JobTask, operation: Operation, nameWidth: number, look: Look, now: number): string {
  const name = printable(task.taskId);
  const word = taskWords[task.status];
  const parts: Part[] = [
    { text: `  ${name}${' '.repeat(Math.max(nameWidth - displayWidth(name), 0))}`, weight: 9 },
    { text: word.text.padEnd(11), tone: word.tone, weight: 8 },
    ...(task.status === 'InProgress' ? runningParts(task, look, now) : endedParts(task, operation)),
  ];
  const message = task.holdfast?.message;
  if (message !== undefined) parts.push({ text: printable(message), weight: 1 });
  return joinWithin(parts, look);
}

/** While a phase of several disks runs, a line for each. */
function diskLines({ status, holdfast }: JobTask, look: Look): string[] {
  const disks = holdfast?.progress?.disks ?? [];
  if (status !== 'InProgress' || disks.length < 2) return [];
  const nameWidth = Math.max(...disks.map(({ name }) => displayWidth(name)));
  return disks.map((disk) => {
    const name = printable(disk.name);
    const indent = ' '.repeat(Math.max(nameWidth - displayWidth(name), 0));
    return joinWithin([{ text: `    ${name}${indent}`, weight: 9 }, ...movedParts(disk, look)], look);
  });
}

function runningParts(task: JobTask, look: Look, now: number): Part[] {
  const progress = task.holdfast?.progress;
  const percent = percentOf(progress);
  if (progress === undefined || percent === undefined) {
    const elapsed = task.startTime === undefined ? undefined : (now - Date.parse(task.startTime)) / 1000;
    const parts: Part[] = [];
    if (progress !== undefined && progress.processedBytes > 0)
      parts.push({ text: `${formatBytes(progress.processedBytes)} so far`, weight: 6 });
    if (elapsed !== undefined)
      parts.push({ text: formatDuration(Math.max(Math.floor(elapsed), 0)), weight: 5 });
    return parts;
  }
  return movedParts(progress, look);
}

type Moved = Pick<TaskProgress, 'processedBytes' | 'totalBytes' | 'bytesPerSecond' | 'remainingSeconds'>;

function movedParts(progress: Moved, look: Look): Part[] {
  const { processedBytes, totalBytes, bytesPerSecond, remainingSeconds } = progress;
  const percent = percentOf(progress) ?? 0;
  const left = formatEstimate(remainingSeconds);
  return [
    { text: bar(percent, look), weight: 4 },
    { text: `${String(percent).padStart(3)} %`, weight: 7 },
    { text: `${formatBytes(processedBytes)} of ${formatBytes(totalBytes)}`, weight: 5 },
    ...(bytesPerSecond === undefined
      ? []
      : [{ text: `${formatBytes(Math.round(bytesPerSecond))}/s`, weight: 3 }]),
    ...(left === undefined ? [] : [{ text: `${left} left`, weight: 6 }]),
  ];
}

function endedParts(task: JobTask, operation: Operation): Part[] {
  const seconds = spanSeconds(task.duration);
  const cost = task.status === 'Completed' ? costOf([task], operation) : undefined;
  return [
    ...(task.status === 'NotStarted' || seconds === undefined
      ? []
      : [{ text: formatDuration(seconds), weight: 5 }]),
    ...(cost === undefined ? [] : [{ text: cost, weight: 4 }]),
  ];
}

/** Joins the parts, without the least important ones where they would not fit. */
function joinWithin(parts: readonly Part[], look: Look): string {
  const room = look.columns === undefined ? Number.POSITIVE_INFINITY : look.columns - 1;
  const widthOf = (some: readonly Part[]) => some.reduce((sum, { text }) => sum + displayWidth(text) + 2, -2);
  let kept = parts;
  while (widthOf(kept) > room && kept.length > 1) {
    const least = Math.min(...kept.map(({ weight }) => weight));
    kept = kept.filter(({ weight }) => weight !== least);
  }
  if (widthOf(kept) > room)
    return kept
      .map(({ text }) => text)
      .join('  ')
      .slice(0, Math.max(room, 0));
  return kept
    .map(({ text, tone }) => paint(text, tone, look))
    .join('  ')
    .trimEnd();
}

/** What the tasks moved, in a sentence's words; undefined when nothing was measured. */
function costOf(tasks: readonly JobTask[], operation: Operation): string | undefined {
  const measured = tasks.flatMap((task) => task.holdfast?.progress ?? []);
  if (measured.length === 0) return undefined;
  const sum = (pick: (progress: TaskProgress) => number) =>
    formatBytes(measured.reduce((total, progress) => total + pick(progress), 0));
  const read = `read ${sum((p) => p.readBytes)}`;
  if (operation === 'VerifyStore' || operation === 'VerifyReplica') return read;
  if (operation === 'Restore') return `${read}, wrote ${sum((p) => p.storedBytes)}`;
  // Chunks are whole: where little changed in many places, there is more of them than was read.
  return `${read}, new chunks ${sum((p) => p.newBytes)}, stored ${sum((p) => p.storedBytes)}`;
}

/** What changed between two looks at a job, as plain lines: phases by status, transfers by ten percent. */
export function jobChanges(before: Job | undefined, job: Job): string[] {
  const lines: string[] = [];
  if (before === undefined) lines.push(`${jobTitle(job)}, job ${printable(job.name)}`);
  if (job.properties.status === 'Cancelling' && before?.properties.status !== 'Cancelling')
    lines.push('Cancelling');
  for (const task of job.properties.extendedInfo?.tasksList ?? []) {
    const was = before?.properties.extendedInfo?.tasksList.find(({ taskId }) => taskId === task.taskId);
    const line = taskChange(was, task, job.properties.operation);
    if (line !== undefined) lines.push(`${printable(task.taskId)}: ${line}`);
  }
  return lines;
}

function taskChange(was: JobTask | undefined, task: JobTask, operation: Operation): string | undefined {
  if (task.status !== (was?.status ?? 'NotStarted')) {
    const message = task.holdfast?.message;
    const facts = [
      taskWords[task.status].text,
      ...(task.status === 'InProgress' ? [] : endedParts(task, operation).map(({ text }) => text)),
      ...(message === undefined ? [] : [printable(message)]),
    ];
    return facts.join(', ');
  }
  if (task.status !== 'InProgress') return undefined;
  const tens = Math.floor((percentOf(task.holdfast?.progress) ?? 0) / 10);
  const wereTens = Math.floor((percentOf(was?.holdfast?.progress) ?? 0) / 10);
  const progress = task.holdfast?.progress;
  if (tens <= wereTens || progress === undefined) return undefined;
  return `${tens * 10} %, ${formatBytes(progress.processedBytes)} of ${formatBytes(progress.totalBytes)}`;
}

/** What a repair or a collection was to do, a line for each step. */
function planOf({ properties: { extendedInfo } }: Job): string[] {
  const plan = extendedInfo?.propertyBag.Plan;
  return plan === undefined ? [] : plan.split('\n').map((line) => `  ${printable(line)}`);
}

/** How a job ended: the result, its cost, and for what went wrong the code, a sentence and what to do. */
export function jobResult(job: Job, look: Look): string[] {
  const { status, operation, duration, errorDetails = [], extendedInfo } = job.properties;
  const { text, tone } = jobStatusWords[status];
  const seconds = spanSeconds(duration);
  const cost = costOf(extendedInfo?.tasksList ?? [], operation);
  const took = seconds === undefined ? '' : ` in ${formatDuration(seconds)}`;
  return [
    ...planOf(job),
    `${jobTitle(job)}: ${paint(text.toLowerCase(), tone, look)}${took}${cost === undefined ? '' : `; ${cost}`}`,
    ...errorDetails.flatMap(({ errorTitle, errorString, recommendations }) => [
      paint(printable(`Error ${errorTitle}: ${errorString}`), status === 'Failed' ? 'bad' : 'warning', look),
      ...recommendations.map((recommendation) => printable(`What to do: ${recommendation}`)),
    ]),
  ];
}
