import { type AuditEntry, auditStatuses } from '../../../../src/api/client/browser.ts';
import { filterText } from '../../api/filter-text.ts';
import { oneOf, textIn } from '../../parts/search.ts';

/** Which lines of the audit log are shown, as it stands in the address. */
export interface AuditSearch {
  who?: string | undefined;
  status?: AuditEntry['properties']['status'] | undefined;
  request?: string | undefined;
}

export const readAuditSearch = (raw: Record<string, unknown>): AuditSearch => ({
  who: textIn(raw, 'who'),
  status: oneOf(raw, 'status', auditStatuses),
  request: textIn(raw, 'request'),
});

/** The query that asks the service for them. */
export const auditQuery = ({ who, status, request }: AuditSearch) =>
  filterText({ principalName: who, status, requestId: request });
