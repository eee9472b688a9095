import type { Grants } from './grants.ts';

/** Who makes a request. */
export interface Principal {
  kind: 'local-administrator' | 'client' | 'person';
  /** Id of the client or person; of the local administrator, its kind. */
  id: string;
  name: string;
}

/** A principal that has signed in, with what it may do now. */
export interface Caller {
  principal: Principal;
  grants: Grants;
  /** Of a person: what signing out ends. */
  session?: { hash: string; expiresAt: string };
  /**
   * Only of a session that is in a cookie, which a browser sends with whatever page asks for it: writes must bring this, to
   * show that they come from a page of ours.
   */
  csrfToken?: string;
}
