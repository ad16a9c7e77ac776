export { normalizeLegacyDmAliases } from './internal/dm-config.js';
export { asObjectRecord, collectProviderDangerousNameMatchingScopes, detectPluginInstallPathIssue, formatPluginInstallPathIssue, hasLegacyAccountStreamingAliases, hasLegacyStreamingAliases, normalizeLegacyChannelAliases, normalizeLegacyStreamingAliases } from './internal/doctor.js';
export { removePluginFromConfig } from './internal/plugin-removal.js';
