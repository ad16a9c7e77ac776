export { definePluginEntry } from './internal/entry.js';
export { buildChannelConfigSchema, buildJsonPluginConfigSchema, buildPluginConfigSchema, emptyPluginConfigSchema } from './internal/config-schema.js';
export { defineChannelPluginEntry } from './internal/channel-plugin.js';
export { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './internal/accounts.js';
export { jsonResult } from './internal/actions.js';
export { detectMime } from './internal/mime.js';
export { createPluginRuntimeStore } from './internal/runtime-store.js';
export { buildMemorySystemPromptAddition } from './internal/memory-host.js';
