import { MessageBar, MessageBarBody, MessageBarTitle } from '@fluentui/react-components';
import type { PreValidateAnswer } from '../../../../src/api/client/browser.ts';
import { Problem } from '../../parts/problem.tsx';
import type { Candidate } from './candidates.ts';

interface Check {
  data: PreValidateAnswer | undefined;
  error: Error | null;
  refetch(): unknown;
}

/** Why VMs that were chosen can't be protected, and what to do. */
export function Verdicts({ machines, checks }: { machines: readonly Candidate[]; checks: readonly Check[] }) {
  return machines.map(({ id, name }, index) => {
    const check = checks[index];
    if (check === undefined) return null;
    const { data, error } = check;
    if (error !== null)
      return (
        <Problem
          key={id}
          error={error}
          title={`${name} could not be validated`}
          onRetry={() => void check.refetch()}
        />
      );
    if (data?.status !== 'Failed') return null;
    return (
      <MessageBar key={id} intent="error" layout="multiline" role="alert">
        <MessageBarBody>
          <MessageBarTitle>{name} can’t be protected.</MessageBarTitle> {data.errorMessage}
          <div>{data.recommendation}</div>
          <div>
            Code: <code>{data.errorCode}</code>. Take the VM out of the choice, or mend it.
          </div>
        </MessageBarBody>
      </MessageBar>
    );
  });
}
