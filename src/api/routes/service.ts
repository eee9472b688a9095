import type { Service, Subscription } from '../client/index.ts';
import { type RegisterRoutes, subscriptionPath } from '../scope.ts';

export const registerService: RegisterRoutes = (app, scope) => {
  const subscription = (): Subscription => ({
    id: `/subscriptions/${scope.subscriptionId}`,
    subscriptionId: scope.subscriptionId,
    displayName: 'Holdfast',
    state: 'Enabled',
  });

  app.get(
    '/holdfast/service',
    async (): Promise<Service> => ({
      version: scope.version,
      startedAt: scope.startedAt.toString(),
      subscriptionId: scope.subscriptionId,
      home: scope.home,
    }),
  );
  app.get('/subscriptions', async () => ({ value: [subscription()] }));
  app.get(subscriptionPath, async () => subscription());
};
