import { MessageBar, MessageBarBody, MessageBarTitle } from '@fluentui/react-components';
import type { Job } from '../../../../src/api/client/browser.ts';

/** Why a job failed, or ended with warnings, and what to do about it. */
export function JobErrors({ errors }: { errors: NonNullable<Job['properties']['errorDetails']> }) {
  return errors.map(({ errorTitle, errorString, recommendations }) => (
    <MessageBar key={errorTitle + errorString} intent="error" layout="multiline">
      <MessageBarBody>
        <MessageBarTitle>
          <code>{errorTitle}</code>
        </MessageBarTitle>{' '}
        {errorString}
        {recommendations.map((recommendation) => (
          <div key={recommendation}>Recommended: {recommendation}</div>
        ))}
      </MessageBarBody>
    </MessageBar>
  ));
}
