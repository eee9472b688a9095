import { makeStyles, ProgressBar, tokens } from '@fluentui/react-components';
import type { JobTask } from '../../../../src/api/client/browser.ts';
import { formatBytes, formatRate, formatRemaining, formatSeconds, secondsOf } from '../../parts/format.ts';
import { StateStatus } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';

const useStyles = makeStyles({
  scroll: { overflowX: 'auto' },
  table: {
    width: '100%',
    minWidth: '44rem',
    borderCollapse: 'collapse',
    '& th, & td': {
      textAlign: 'start',
      verticalAlign: 'top',
      padding: `${tokens.spacingVerticalS} ${tokens.spacingHorizontalM}`,
      borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    },
    '& th': { fontWeight: tokens.fontWeightSemibold },
  },
  progress: { minWidth: '16rem' },
  figures: { color: tokens.colorNeutralForeground2, fontVariantNumeric: 'tabular-nums' },
});

/** The phases of a job, each with its state, time and, where bytes move, how far it is. */
export function JobTasks({ tasks }: { tasks: readonly JobTask[] }) {
  const styles = useStyles();
  return (
    <div className={styles.scroll}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Status</th>
            <th scope="col">Start time</th>
            <th scope="col">Duration</th>
            <th scope="col">Progress</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.taskId}>
              <td>{task.taskId}</td>
              <td>
                <StateStatus state={task.status} />
              </td>
              <td>{task.startTime !== undefined && <Time at={task.startTime} />}</td>
              <td>{task.duration !== undefined && formatSeconds(secondsOf(task.duration))}</td>
              <td className={styles.progress}>
                <Progress task={task} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Progress({ task }: { task: JobTask }) {
  const styles = useStyles();
  const { message, progress } = task.holdfast ?? {};
  const isRunning = task.status === 'InProgress';
  // Without a total there is no share: the bar then only says that something goes on.
  const share = task.progressPercentage === undefined ? {} : { value: task.progressPercentage / 100 };
  return (
    <>
      {isRunning && <ProgressBar {...share} aria-label={`Progress of ${task.taskId}`} />}
      {progress !== undefined && (
        <div className={styles.figures}>
          {figuresOf(progress, isRunning, task.progressPercentage).map((line) => (
            <div key={line}>{line}</div>
          ))}
          {isRunning &&
            progress.disks !== undefined &&
            progress.disks.length > 1 &&
            progress.disks.map((disk) => (
              <div key={disk.name}>
                {disk.name}: {movedOf(disk, true)}
              </div>
            ))}
        </div>
      )}
      {message !== undefined && <div>{message}</div>}
    </>
  );
}

type Figures = NonNullable<NonNullable<JobTask['holdfast']>['progress']>;

function figuresOf(progress: Figures, isRunning: boolean, percentage: number | undefined): string[] {
  const { readBytes, newBytes, storedBytes } = progress;
  return [
    movedOf(progress, isRunning, percentage),
    `Read ${formatBytes(readBytes)}, new ${formatBytes(newBytes)}, written ${formatBytes(storedBytes)}`,
  ];
}

type Moved = Pick<Figures, 'processedBytes' | 'totalBytes' | 'bytesPerSecond' | 'remainingSeconds'>;

function movedOf(
  { processedBytes, totalBytes, bytesPerSecond, remainingSeconds }: Moved,
  isRunning: boolean,
  percentage?: number,
): string {
  const of = totalBytes === undefined ? '' : ` of ${formatBytes(totalBytes)}`;
  const share = isRunning && percentage !== undefined ? ` (${Math.floor(percentage)} %)` : '';
  const now = isRunning
    ? [
        bytesPerSecond === undefined ? undefined : formatRate(bytesPerSecond),
        remainingSeconds === undefined ? undefined : formatRemaining(remainingSeconds),
      ].filter((text) => text !== undefined)
    : [];
  return [`${formatBytes(processedBytes)}${of}${share}`, ...now].join(' · ');
}
