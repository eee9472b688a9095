import {
  Button,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  MessageBarTitle,
} from '@fluentui/react-components';
import { ApiError } from '../../../src/api/client/browser.ts';

/** What is said of an error: the sentence, what to do, and what finds it in the service's log. */
export function problemOf(error: unknown): {
  message: string;
  code?: string;
  action?: string;
  requestId?: string;
} {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message } = error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const action = 'action' in error && typeof error.action === 'string' ? { action: error.action } : {};
  const requestId =
    error instanceof ApiError && error.requestId !== undefined ? { requestId: error.requestId } : {};
  return { message, ...code, ...action, ...requestId };
}

interface ProblemProps {
  error: unknown;
  /** What did not work, for example `The vault was not created`. */
  title?: string;
  onRetry?: (() => void) | undefined;
}

/** A refusal or failure, with its code and what to do about it. */
export function Problem({ error, title, onRetry }: ProblemProps) {
  const { message, code, action, requestId } = problemOf(error);
  return (
    <MessageBar intent="error" layout="multiline" role="alert">
      <MessageBarBody>
        {title !== undefined && <MessageBarTitle>{title}.</MessageBarTitle>} {message}
        {action !== undefined && <div>{action}</div>}
        {code !== undefined && (
          <div>
            Code: <code>{code}</code>
            {requestId !== undefined && (
              <>
                {' '}
                · Request id: <code>{requestId}</code>
              </>
            )}
          </div>
        )}
      </MessageBarBody>
      {onRetry !== undefined && (
        <MessageBarActions>
          <Button size="small" onClick={onRetry}>
            Try again
          </Button>
        </MessageBarActions>
      )}
    </MessageBar>
  );
}
