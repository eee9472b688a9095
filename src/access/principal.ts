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
  /** The session it uses, where it is a person: what signing out ends. */
  sessionHash?: string;
  /** Signed in by a cookie, which a browser sends for any page: writes must prove that they come from ours. */
  byCookie?: boolean;
}
