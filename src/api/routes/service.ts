import type { Service } from '../client/index.ts';
import type { RegisterRoutes } from '../scope.ts';

export const registerService: RegisterRoutes = (app, scope) => {
  app.get(
    '/holdfast/service',
    async (): Promise<Service> => ({
      version: scope.version,
      startedAt: scope.startedAt.toString(),
      subscriptionId: scope.subscriptionId,
      home: scope.home,
    }),
  );
};
