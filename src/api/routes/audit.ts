import type { FastifyInstance } from 'fastify';
import type { Access } from '../../access/index.ts';
import { type AuditRow, listAudit } from '../../catalog/index.ts';
import { type AuditEntry, auditStatuses } from '../client/index.ts';
import { filterWord, parseFilter, parseMoment } from '../filter.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import { type ApiScope, query, subscriptionPath } from '../scope.ts';

/** The audit log, newest first, and whether its chain is whole. */
export function registerAudit(app: FastifyInstance, scope: ApiScope, access: Access): void {
  const { db, signal } = scope.workshop;
  const path = `${subscriptionPath}/providers/Holdfast.Fleet`;

  const present = (row: AuditRow): AuditEntry => ({
    id: `/subscriptions/${scope.subscriptionId}/providers/Holdfast.Fleet/auditLog/${row.seq}`,
    name: String(row.seq),
    type: 'Holdfast.Fleet/auditLog',
    properties: {
      time: row.at,
      principalName: row.principal_name,
      ...(row.principal_id === null ? {} : { principalId: row.principal_id }),
      action: row.action,
      resource: row.resource,
      status: row.status,
      ...(row.http_status === null ? {} : { httpStatus: row.http_status }),
      requestId: row.request_id,
      address: row.address,
      hash: row.hash,
    },
  });

  app.get(`${path}/auditLog`, async (request) => {
    const wish = pageWish(request, [0]);
    const filter = parseFilter(query(request, '$filter'), ['principalName', 'status', 'requestId']);
    const since = query(request, 'since');
    const rows = await listAudit(db, {
      before: wish.after?.[0],
      limit: wish.size + 1,
      principalName: filter.get('principalname'),
      status: filterWord(filter, 'status', auditStatuses),
      requestId: filter.get('requestid'),
      ...(since === undefined ? {} : { since: parseMoment(since) }),
    });
    const { value, ...rest } = pageOf(request, wish, rows, ({ seq }) => [seq]);
    return { value: value.map(present), ...rest };
  });

  app.get(`${path}/auditLogVerification`, async () => {
    const { entries, brokenAt } = await access.audit.verify(signal);
    return { entries, intact: brokenAt === undefined, ...(brokenAt === undefined ? {} : { brokenAt }) };
  });
}
