import { makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import {
  CheckmarkCircleFilled,
  CircleHintRegular,
  ClockRegular,
  ErrorCircleFilled,
  PauseCircleRegular,
  WarningFilled,
} from '@fluentui/react-icons';
import type { ComponentType } from 'react';
import { spaced } from './format.ts';

export type Tone = 'good' | 'bad' | 'warning' | 'busy' | 'off' | 'neutral';

const useStyles = makeStyles({
  root: { display: 'inline-flex', alignItems: 'center', columnGap: tokens.spacingHorizontalXS, minWidth: 0 },
  icon: { flexShrink: 0 },
  text: { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  good: { color: tokens.colorStatusSuccessForeground1 },
  bad: { color: tokens.colorStatusDangerForeground1 },
  warning: { color: tokens.colorStatusWarningForeground3 },
  busy: { color: tokens.colorBrandForeground1 },
  off: { color: tokens.colorNeutralForeground3 },
  neutral: { color: tokens.colorNeutralForeground3 },
});

const icons: Record<Tone, ComponentType<{ className?: string }>> = {
  good: CheckmarkCircleFilled,
  bad: ErrorCircleFilled,
  warning: WarningFilled,
  busy: ClockRegular,
  off: PauseCircleRegular,
  neutral: CircleHintRegular,
};

/** A state as icon and word; the colour says nothing that these don't. */
export function Status({ tone, children }: { tone: Tone; children: string }) {
  const styles = useStyles();
  const Icon = icons[tone];
  return (
    <span className={styles.root} title={children}>
      <Icon className={mergeClasses(styles.icon, styles[tone])} aria-hidden />
      <span className={styles.text}>{children}</span>
    </span>
  );
}

const known: Record<string, { tone: Tone; text?: string }> = {
  // Jobs and their tasks.
  InProgress: { tone: 'busy', text: 'In progress' },
  Completed: { tone: 'good' },
  CompletedWithWarnings: { tone: 'warning' },
  Failed: { tone: 'bad' },
  Cancelling: { tone: 'busy' },
  Cancelled: { tone: 'off' },
  NotStarted: { tone: 'neutral', text: 'Not started' },
  Skipped: { tone: 'off' },
  // Protection.
  IRPending: { tone: 'warning', text: 'Warning (initial backup pending)' },
  Protected: { tone: 'good' },
  ProtectionError: { tone: 'bad', text: 'Protection error' },
  ProtectionStopped: { tone: 'off', text: 'Protection stopped' },
  BackupsSuspended: { tone: 'off', text: 'Backups suspended' },
  SoftDeleted: { tone: 'warning', text: 'Soft deleted' },
  NotProtected: { tone: 'neutral', text: 'Not protected' },
  NotProtectable: { tone: 'warning', text: "Can't be protected" },
  // Hosts, vaults and machines.
  Connected: { tone: 'good' },
  Unreachable: { tone: 'bad' },
  Ready: { tone: 'good' },
  Locked: { tone: 'bad' },
  Unavailable: { tone: 'bad' },
  running: { tone: 'good', text: 'Running' },
  paused: { tone: 'off', text: 'Paused' },
  'shut off': { tone: 'off', text: 'Shut off' },
  crashed: { tone: 'bad', text: 'Crashed' },
};

/** One of the API's states. */
export function StateStatus({ state }: { state: string }) {
  const { tone, text } = known[state] ?? { tone: 'neutral' };
  return <Status tone={tone}>{text ?? spaced(state)}</Status>;
}
