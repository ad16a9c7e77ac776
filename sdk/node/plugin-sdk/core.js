export { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './internal/accounts.js';
export { createActionGate, jsonResult, readNumberParam, readReactionParams, readStringArrayParam, readStringParam } from './internal/actions.js';
export { deleteAccountFromConfigSection, formatPairingApproveHint, setAccountEnabledInConfigSection } from './internal/channel-config.js';
export { buildChannelOutboundSessionRoute, createChatChannelPlugin, defineChannelPluginEntry, defineSetupPluginEntry } from './internal/channel-plugin.js';
export { isTrustedProxyAddress, resolveClientIp } from './internal/client-ip.js';
export { buildChannelConfigSchema, buildJsonChannelConfigSchema, buildJsonPluginConfigSchema, buildPluginConfigSchema, emptyChannelConfigSchema, emptyPluginConfigSchema } from './internal/config-schema.js';
export { createDedupeCache } from './internal/dedupe.js';
export { definePluginEntry } from './internal/entry.js';
export { createSubsystemLogger } from './internal/host.js';
export { KeyedAsyncQueue } from './internal/keyed-queue.js';
export { parseStrictPositiveInteger } from './internal/numbers.js';
export { generateSecureToken, generateSecureUuid } from './internal/random.js';
export { isSecretRef } from './internal/secrets.js';
export { buildAgentSessionKey, resolveThreadSessionKeys } from './internal/session-keys.js';
export { applyAccountNameToChannelSection, migrateBaseNameToDefaultAccount } from './internal/setup.js';
<<<<<<< HEAD
export { normalizeAtHashSlug, normalizeHyphenSlug } from './internal/strings.js';
export { formatZonedTimestamp } from './internal/time.js';
=======
export { buildMemorySystemPromptAddition } from './internal/memory-host.js';
>>>>>>> 68da5a4 (Put the memory slot to use: prompt lines, search tools, corpora, artifacts, and embeddings behind /v1/embeddings)
