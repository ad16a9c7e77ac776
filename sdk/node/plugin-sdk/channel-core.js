export { buildChannelOutboundSessionRoute, createChatChannelPlugin, defineChannelPluginEntry, defineSetupPluginEntry } from './internal/channel-plugin.js';
export { buildChannelConfigSchema } from './internal/config-schema.js';
