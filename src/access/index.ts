/** Who may do what. Today one principal: the local administrator, who may do everything. */
export { createLocalCredential, type LocalCredential, type Principal } from './local-credential.ts';
