import type { z } from 'zod';
import type { Answer, Method } from './send.ts';
import * as shapes from './shapes.ts';

/** What the client's parts share. */
export interface Calls {
  call(method: Method, path: string, body?: unknown): Promise<Answer>;
  read<T extends z.ZodType>(shape: T, answer: Answer): z.output<T>;
  get<T extends z.ZodType>(shape: T, path: string): Promise<z.output<T>>;
  pages<T extends z.ZodType>(
    item: T,
    path: string,
    query?: Record<string, string>,
  ): AsyncGenerator<z.output<T>>;
  page<T extends z.ZodType>(
    item: T,
    path: string,
    query: Record<string, string>,
    nextLink?: string,
  ): Promise<{ value: z.output<T>[]; nextLink?: string | undefined }>;
  subscriptionId(): Promise<string>;
}

/** A resource id as a path. */
const pathOfId = (id: string) => id.split('/').map(encodeURIComponent).join('/');

/** Clients, people and their sessions, roles and the audit log. */
export function accessCalls({ call, read, get, pages, page, subscriptionId }: Calls) {
  const fleet = async (rest: string) =>
    `/subscriptions/${await subscriptionId()}/providers/Holdfast.Fleet/${rest}`;
  const client = (name: string) => fleet(`clients/${encodeURIComponent(name)}`);
  const person = (userName: string) => fleet(`people/${encodeURIComponent(userName)}`);
  const roles = (scope: string) => `${pathOfId(scope)}/providers/Microsoft.Authorization/roleAssignments`;

  return {
    clients: {
      list: async () => Array.fromAsync(pages(shapes.client, await fleet('clients'))),
      get: async (name: string) => get(shapes.client, await client(name)),
      /** The only answer, with that of `rotateSecret`, that has the secret. */
      create: async (name: string, body: shapes.ClientRequest) =>
        read(shapes.clientSecret, await call('PUT', await client(name), body)),
      rotateSecret: async (name: string) =>
        read(shapes.clientSecret, await call('POST', `${await client(name)}/rotateSecret`)),
      delete: async (name: string): Promise<void> => {
        await call('DELETE', await client(name));
      },
    },

    people: {
      list: async () => Array.fromAsync(pages(shapes.person, await fleet('people'))),
      get: async (userName: string) => get(shapes.person, await person(userName)),
      /** Makes a person, or gives one another password. */
      put: async (userName: string, body: shapes.PersonRequest) =>
        read(shapes.person, await call('PUT', await person(userName), body)),
      delete: async (userName: string): Promise<void> => {
        await call('DELETE', await person(userName));
      },
    },

    session: {
      get: async () => get(shapes.session, '/holdfast/session'),
      /** Begins a session whose token is in the answer. */
      begin: async (userName: string, password: string) =>
        read(shapes.session, await call('POST', '/holdfast/sign-in', { userName, password, kind: 'token' })),
      end: async (): Promise<void> => {
        await call('DELETE', '/holdfast/session');
      },
      changePassword: async (currentPassword: string, newPassword: string): Promise<void> => {
        await call('POST', '/holdfast/session/password', { currentPassword, newPassword });
      },
    },

    roles: {
      /** Those at a scope, given as resource id, and below it. */
      list: async (scope: string) => Array.fromAsync(pages(shapes.roleAssignment, roles(scope))),
      assign: async (scope: string, body: shapes.RoleAssignmentRequest) =>
        read(shapes.roleAssignment, await call('PUT', `${roles(scope)}/${crypto.randomUUID()}`, body)),
      /** @param id resource id of the assignment */
      remove: async (id: string): Promise<void> => {
        await call('DELETE', pathOfId(id));
      },
    },

    audit: {
      /** Newest first; no more than `limit`. @param since ISO 8601 */
      list: async (limit: number, since?: string) => {
        const found: shapes.AuditEntry[] = [];
        const query = { $top: String(Math.min(limit, 1000)), ...(since === undefined ? {} : { since }) };
        for await (const entry of pages(shapes.auditEntry, await fleet('auditLog'), query)) {
          found.push(entry);
          if (found.length >= limit) break;
        }
        return found;
      },
      /** One page, newest first. */
      page: async (query: Record<string, string>, nextLink?: string) =>
        page(shapes.auditEntry, await fleet('auditLog'), query, nextLink),
      verify: async () => get(shapes.auditVerification, await fleet('auditLogVerification')),
    },
  };
}
