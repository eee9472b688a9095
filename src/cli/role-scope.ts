import type { Command } from 'commander';
import type { HoldfastClient } from '../api/client/index.ts';
import type { Call } from './call.ts';

export const roleNames = ['Reader', 'Operator', 'Contributor', 'Owner'] as const;

/** Options that say where a role counts. */
export function withScope(command: Command): Command {
  return command
    .option('--scope <id>', 'resource id where the role counts (default: the subscription)')
    .option('-g, --resource-group <name>', 'instead of --scope: a resource group')
    .option('-v, --vault <name>', 'instead of --scope: a vault of that resource group (default: default)');
}

/** The id that the options name. Of the environment nothing counts: a role must not depend on it. */
export async function scopeOf(call: Call<{ scope?: string }>, client: HoldfastClient): Promise<string> {
  const { scope, resourceGroup, vault } = call.options;
  if (scope !== undefined) return scope;
  const subscription = `/subscriptions/${await client.subscriptionId()}`;
  if (resourceGroup === undefined && vault === undefined) return subscription;
  const group = `${subscription}/resourceGroups/${resourceGroup ?? 'default'}`;
  return vault === undefined ? group : `${group}/providers/Microsoft.RecoveryServices/vaults/${vault}`;
}

/** A scope for people: what it names, without the subscription where it is narrower. */
export function shortScope(id: string): string {
  const [, group, vault] = /\/resourceGroups\/([^/]+)(?:\/.*\/vaults\/([^/]+))?$/i.exec(id) ?? [];
  if (group === undefined) return 'subscription';
  return vault === undefined ? `group ${group}` : `vault ${group}/${vault}`;
}
