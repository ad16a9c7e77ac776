export { asObjectRecord, collectProviderDangerousNameMatchingScopes, detectPluginInstallPathIssue, formatPluginInstallPathIssue, hasLegacyAccountStreamingAliases, hasLegacyStreamingAliases, normalizeLegacyChannelAliases, normalizeLegacyStreamingAliases } from './internal/doctor.js';
export { normalizeLegacyDmAliases } from './internal/dm-config.js';
