export { createChannelPluginBase } from './internal/channel-base.js';
export { buildChannelOutboundSessionRoute, createChatChannelPlugin, defineChannelPluginEntry, defineSetupPluginEntry } from './internal/channel-plugin.js';
export { clearAccountEntryFields } from './internal/channel-secrets.js';
export { buildChannelConfigSchema } from './internal/config-schema.js';
export { buildThreadAwareOutboundSessionRoute, parseOptionalDelimitedEntries, recoverCurrentThreadSessionId, stripChannelTargetPrefix, stripTargetKindPrefix } from './internal/outbound-routes.js';
export { tryReadSecretFileSync } from './internal/secret-files.js';
