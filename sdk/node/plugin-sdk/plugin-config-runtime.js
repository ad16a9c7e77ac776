export { requireRuntimeConfig } from './internal/channel-config.js';
export { resolveLivePluginConfigObject, resolvePluginConfigObject } from './internal/plugin-config.js';
export { normalizePluginsConfig, resolveEffectiveEnableState } from './internal/plugin-enablement.js';
