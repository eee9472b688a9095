/**
 * The REST surface: Azure's Microsoft.RecoveryServices as far as it is offered, and Holdfast.Fleet for what Azure has
 * no word for. Shapes and the typed client are in `client/`.
 */
export { loadPortal, type PortalFiles } from './portal-files.ts';
export { resourceIds } from './resource-ids.ts';
export type { ApiScope } from './scope.ts';
export { createServer, type ServerOptions } from './server.ts';
export { ensureCertificate, type TlsFiles } from './tls.ts';
