export { buildChannelOutboundSessionRoute, createChatChannelPlugin, defineChannelPluginEntry, defineSetupPluginEntry } from './internal/channel-plugin.js';
export { clearAccountEntryFields } from './internal/channel-secrets.js';
export { buildChannelConfigSchema } from './internal/config-schema.js';
