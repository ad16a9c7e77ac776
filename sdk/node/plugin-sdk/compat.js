export { normalizeAccountId } from './internal/accounts.js';
export { buildAccountScopedDmSecurityPolicy, createScopedAccountConfigAccessors, createScopedChannelConfigAdapter, createScopedChannelConfigBase, createScopedDmSecurityResolver, mapAllowFromEntries } from './internal/channel-config.js';
export { buildChannelConfigSchema, buildJsonChannelConfigSchema, emptyPluginConfigSchema } from './internal/config-schema.js';
export { createChannelDirectoryAdapter, createEmptyChannelDirectoryAdapter, createResolvedDirectoryEntriesLister, createRuntimeDirectoryLiveAdapter, nullChannelDirectorySelf } from './internal/directory.js';
export { formatAllowFromLowercase } from './internal/feedback.js';
export { buildOpenGroupPolicyWarning, createAllowlistProviderOpenWarningCollector, projectAccountConfigWarningCollector, resolveChannelGroupPolicy, resolveChannelGroupRequireMention } from './internal/group-policy.js';
export { createChannelHistoryWindow } from './internal/history.js';
export { KeyedAsyncQueue } from './internal/keyed-queue.js';
export { resolvePreferredOpenClawTmpDir } from './internal/paths.js';
export { createPluginRuntimeStore } from './internal/runtime-store.js';
export { AllowFromListSchema, BlockStreamingCoalesceSchema, buildCatchallMultiAccountChannelSchema, buildNestedDmConfigSchema, ContextVisibilityModeSchema, DmPolicySchema, GroupPolicySchema, MarkdownConfigSchema, ToolPolicySchema } from './internal/schemas.js';
export { createAccountStatusSink } from './internal/status.js';
<<<<<<< HEAD
export { createChannelReplyPipeline, createReplyPrefixContext, createReplyPrefixOptions, createTypingCallbacks } from './internal/typing.js';
=======
export { buildMemorySystemPromptAddition } from './internal/memory-host.js';
>>>>>>> 68da5a4 (Put the memory slot to use: prompt lines, search tools, corpora, artifacts, and embeddings behind /v1/embeddings)
