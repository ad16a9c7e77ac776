// zod schemas that channel configurations share.
import { z } from '../../vendor/zod.js';

export const GroupPolicySchema = z.enum(['open', 'disabled', 'allowlist']);
export const DmPolicySchema = z.enum(['pairing', 'allowlist', 'open', 'disabled']);
export const MarkdownTableModeSchema = z.enum(['off', 'bullets', 'code', 'block']);
export const MarkdownConfigSchema = z.object({ tables: MarkdownTableModeSchema.optional() }).strict().optional();
export const AllowFromEntrySchema = z.union([z.string(), z.number()]);
export const AllowFromListSchema = z.array(AllowFromEntrySchema).optional();
export const ToolPolicySchema = z
  .object({ allow: z.array(z.string()).optional(), alsoAllow: z.array(z.string()).optional(), deny: z.array(z.string()).optional() })
  .strict()
  .superRefine(({ allow, alsoAllow }, ctx) => {
    if (!allow?.length || !alsoAllow?.length) return;
    ctx.addIssue({ code: 'custom', message: 'tools policy cannot set both allow and alsoAllow in the same scope (merge alsoAllow into allow, or remove allow and use profile + alsoAllow)' });
  })
  .optional();
export const BlockStreamingCoalesceSchema = z
  .object({ minChars: z.number().int().positive().optional(), maxChars: z.number().int().positive().optional(), idleMs: z.number().int().nonnegative().optional() })
  .strict();
export const ReplyToModeSchema = z.union([z.literal('off'), z.literal('first'), z.literal('all'), z.literal('batched')]);
export const ContextVisibilityModeSchema = z.enum(['all', 'allowlist', 'allowlist_quote']);

/** The settings of one account, and of any number of named ones beside them. */
export const buildCatchallMultiAccountChannelSchema = (account) =>
  account.extend({ accounts: z.object({}).catchall(account).optional(), defaultAccount: z.string().optional() });

/** Settings of direct messages in an object of their own. */
export const buildNestedDmConfigSchema = (extraShape) =>
  z.object({ enabled: z.boolean().optional(), policy: DmPolicySchema.optional(), allowFrom: AllowFromListSchema, ...extraShape }).optional();

/** The settings of one direct conversation. */
export const DmConfigSchema = z.strictObject({ historyLimit: z.number().int().min(0).optional() });
/** Where patterns count as mentions. */
export const MentionPatternsPolicySchema = z.strictObject({ mode: z.union([z.literal('allow'), z.literal('deny')]).optional(), allowIn: z.array(z.string()).optional(), denyIn: z.array(z.string()).optional() });
/** Members that channels share whose replies the gateway sends. */
export const ReplyRuntimeConfigSchemaShape = {
  historyLimit: z.number().int().min(0).optional(),
  dmHistoryLimit: z.number().int().min(0).optional(),
  contextVisibility: ContextVisibilityModeSchema.optional(),
  // Not z.record: plugins extend this shape with the zod they bundle, and an
  // older one cannot export a record of this one as a JSON schema.
  dms: z.object({}).catchall(DmConfigSchema.optional()).optional(),
  textChunkLimit: z.number().int().positive().optional(),
  chunkMode: z.enum(['length', 'newline']).optional(),
  blockStreaming: z.boolean().optional(),
  blockStreamingCoalesce: BlockStreamingCoalesceSchema.optional(),
  responsePrefix: z.string().optional(),
  mediaMaxMb: z.number().positive().optional(),
};
