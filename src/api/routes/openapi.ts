import { openApiDocument } from '../openapi/document.ts';
import type { RegisterRoutes } from '../scope.ts';

/** The OpenAPI document, made once when it is first asked for: then every route is known. */
export const registerOpenApi: RegisterRoutes = (app, scope) => {
  let document: ReturnType<typeof openApiDocument> | undefined;
  app.get('/openapi.json', async () => {
    document ??= openApiDocument(app.routeNames, scope.version);
    return document;
  });
};
