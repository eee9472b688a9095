import {
  Button,
  CounterBadge,
  makeStyles,
  Popover,
  PopoverSurface,
  PopoverTrigger,
  Subtitle2,
  Text,
  tokens,
} from '@fluentui/react-components';
import { AlertRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { vaultParams } from '../api/addresses.ts';
import { PageLink } from '../parts/links.tsx';
import { Status, type Tone } from '../parts/status.tsx';
import { Time } from '../parts/time.tsx';
import { clearNotices, type Notice, useNotices } from './notices.ts';

const useStyles = makeStyles({
  surface: { width: 'min(24rem, calc(100vw - 3rem))', maxHeight: '70vh', overflow: 'auto' },
  head: { display: 'flex', justifyContent: 'space-between', alignItems: 'center' },
  list: { listStyleType: 'none', margin: 0, padding: 0 },
  notice: {
    display: 'flex',
    flexDirection: 'column',
    padding: `${tokens.spacingVerticalS} 0`,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  trigger: { position: 'relative' },
  badge: { position: 'absolute', top: '0', insetInlineEnd: '0' },
  quiet: { color: tokens.colorNeutralForeground3 },
});

const tones: Record<Notice['state'], { tone: Tone; text: string }> = {
  running: { tone: 'busy', text: 'In progress' },
  done: { tone: 'good', text: 'Completed' },
  warning: { tone: 'warning', text: 'Ended with warnings' },
  failed: { tone: 'bad', text: 'Failed' },
};

/** What was set going here, and how it went; each leads to its job. */
export function NotificationCentre() {
  const styles = useStyles();
  const notices = useNotices();
  const running = notices.filter((notice) => notice.state === 'running').length;
  const newest = notices[0];
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <Popover
        withArrow
        trapFocus
        positioning="below-end"
        open={isOpen}
        onOpenChange={(_event, { open }) => setIsOpen(open)}
      >
        <PopoverTrigger disableButtonEnhancement>
          <Button
            appearance="subtle"
            className={styles.trigger}
            icon={<AlertRegular />}
            aria-label={running === 0 ? 'Notifications' : `Notifications, ${running} in progress`}
          >
            {running > 0 && <CounterBadge className={styles.badge} count={running} size="small" />}
          </Button>
        </PopoverTrigger>
        <PopoverSurface className={styles.surface} aria-label="Notifications">
          <div className={styles.head}>
            <Subtitle2 as="h2">Notifications</Subtitle2>
            <Button
              appearance="subtle"
              size="small"
              disabled={notices.length === running}
              onClick={clearNotices}
            >
              Clear
            </Button>
          </div>
          {notices.length === 0 && (
            <Text className={styles.quiet}>What you set going is shown here, and how it went.</Text>
          )}
          <ul className={styles.list}>
            {notices.map((notice) => (
              <li key={notice.id} className={styles.notice}>
                <Text weight="semibold">{notice.title}</Text>
                <Status tone={tones[notice.state].tone}>{tones[notice.state].text}</Status>
                {notice.detail !== undefined && <Text>{notice.detail}</Text>}
                <Text size={200} className={styles.quiet}>
                  <Time at={notice.at} />
                </Text>
                {notice.job !== undefined && (
                  <PageLink
                    onClick={() => setIsOpen(false)}
                    to="/vaults/$group/$vault/jobs/$job"
                    params={{ ...vaultParams(notice.job.vault), job: notice.job.id }}
                  >
                    Show the job
                  </PageLink>
                )}
              </li>
            ))}
          </ul>
        </PopoverSurface>
      </Popover>
      <span
        aria-live="polite"
        style={{ position: 'absolute', width: 1, height: 1, overflow: 'hidden', clipPath: 'inset(50%)' }}
      >
        {newest !== undefined && `${newest.title}: ${tones[newest.state].text}`}
      </span>
    </>
  );
}
