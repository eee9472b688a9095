/** The guest agent of a VM, which is to Holdfast what the backup extension is to Azure. */
import { z } from 'zod';

export const agentReport = z.object({
  checkedAt: z.string(),
  status: z.enum(['ready', 'cannot-freeze', 'silent', 'absent', 'not-running']),
  version: z.string().optional(),
  os: z.string().optional(),
  canFreeze: z.boolean(),
  fileAccess: z.boolean(),
  freezeHooks: z.enum(['holdfast', 'holdfast-disabled', 'enabled', 'disabled', 'unknown']).optional(),
  scripts: z.boolean().optional(),
  problem: z.object({ code: z.string(), message: z.string(), action: z.string() }).optional(),
});

/** The freeze hook in a guest, and what is left to be done there by hand. */
export const hookInstallation = z.object({ path: z.string(), left: z.array(z.string()) });
export type HookInstallation = z.infer<typeof hookInstallation>;

/** The freeze hook itself, for whoever installs it by hand. */
export const freezeHookScript = z.object({
  name: z.string(),
  script: z.string(),
  steps: z.array(z.string()),
});
export type FreezeHookScript = z.infer<typeof freezeHookScript>;
