/** Who may do what: the tables of people, clients, their roles and what was done. See `schema.ts` for the conventions. */
export interface AccessSchema {
  role_assignments: RoleAssignmentRow;
  clients: ClientRow;
  people: PersonRow;
  sessions: SessionRow;
  sign_in_failures: SignInFailureRow;
  audit: AuditRow;
}

export interface RoleAssignmentRow {
  assignment_id: string;
  principal_id: string;
  principal_type: 'client' | 'person';
  role: 'Reader' | 'Operator' | 'Contributor' | 'Owner';
  /** Resource id as it was given: the subscription, a resource group or a vault. */
  scope: string;
  created_at: string;
  created_by: string;
}

/** A program that signs in with a secret. */
export interface ClientRow {
  client_id: string;
  name: string;
  /** SHA-256 of the secret, which is random enough for it. */
  secret_hash: string;
  created_at: string;
}

export interface PersonRow {
  person_id: string;
  /** Unique without case. */
  user_name: string;
  /** PHC string of argon2id; null for those whom an outside provider signs in. */
  password_hash: string | null;
  /** `{issuer} {subject}` at the outside provider; null for local people. */
  outside_id: string | null;
  created_at: string;
}

export interface SessionRow {
  /** SHA-256 of the session's secret. */
  session_hash: string;
  person_id: string;
  /** Roles that the outside provider's groups gave, as {@link RoleAssignmentRow.role} and scope; for this session alone. */
  grants_json: string;
  created_at: string;
  last_used_at: string;
  expires_at: string;
}

/** Failed attempts to sign in, by hash of what was tried (a name, an address). */
export interface SignInFailureRow {
  key: string;
  failures: number;
  /** When the count began; it starts again when the window is over. */
  since: string;
}

/** One line of the audit log. Rows are only ever added; each holds the hash of the one before. */
export interface AuditRow {
  seq: number;
  at: string;
  /** `local-administrator`, or the id of a client or person; null where nobody was signed in. */
  principal_id: string | null;
  principal_name: string;
  action: string;
  resource: string;
  status: 'Started' | 'Succeeded' | 'Failed' | 'Refused';
  /** HTTP status of the answer; null while there is none. */
  http_status: number | null;
  request_id: string;
  address: string;
  previous_hash: string;
  hash: string;
}
